"""Clean: raw cells to a typed, validated table, split once and for all.

Reads data/raw, data/schema.yaml, params `clean`; writes data/clean/{train,test,rejected}.parquet,
data/clean/report.json (by column) and metrics/clean.json (totals). Missing feature values stay missing: what replaces
them is learned in training.
"""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from stages import cells, checks, errors, files, params, rows, schema, tables
from stages.params import Clean
from stages.schema import Schema

OUT = Path("data/clean")


class Cleaned(NamedTuple):
    """`table`: typed columns of the schema, `row` (number in the raw table), `fold` (-1: test split).
    `rejected`: the raw cells of rows that cannot be used, with `row`, `column`, `reason`, `value`.
    `counts`: rows in, in each split, and rejected by reason."""

    table: pd.DataFrame
    rejected: pd.DataFrame
    counts: dict[str, int]


def clean(raw: pd.DataFrame, schema: Schema, params: Clean) -> Cleaned:
    """Parse, validate and split a raw table, whose index numbers its rows.

    Raises PipelineError where columns are missing, rows are too few or too many of them are rejected, a feature has
    no value at all, or a fold would be empty.
    """
    checks.columns(raw, schema)
    checks.size(len(raw), params.min_rows)
    typed, problems = cells.parse(raw, schema.used)
    checks.rejected(problems, len(raw), params.max_rejected_fraction)
    table = typed.drop(index=problems["row"]).rename_axis("row").reset_index()
    checks.features(table, schema)
    checks.groups(table, schema)
    table["fold"] = rows.assign(table, schema, params.test_fraction, params.folds)
    checks.folds(table["fold"], rows.expected_folds(schema, params.folds))
    rejected = problems.merge(raw.astype("str"), left_on="row", right_index=True, suffixes=("", "_raw"))
    return Cleaned(table, rejected, _counts(len(raw), table, problems))


def report(raw: pd.DataFrame, cleaned: Cleaned, schema: Schema) -> dict[str, Any]:
    """By column: missing cells of usable rows, rejected rows, and what the training rows would impute (the median of
    numbers, the most frequent boolean or category, the smaller of equals); and the columns that no one asked for."""
    training = cleaned.table[cleaned.table["fold"] != rows.TEST]
    features = {column.name: column.dtype for column in schema.features}
    known = {column.name for column in schema.columns}
    return {
        "columns": {
            column.name: {
                "missing": int(cleaned.table[column.name].isna().sum()),
                "rejected": int((cleaned.rejected["column"] == column.name).sum()),
                "impute": _impute(training[column.name], column.dtype) if column.name in features else None,
            }
            for column in schema.used
        },
        "extra_columns": [str(name) for name in raw if name not in known],
    }


def _impute(values: pd.Series, dtype: str) -> Any:
    if dtype in ("float", "int"):
        return None if values.isna().all() else float(values.median())
    modes = values.mode()
    return None if modes.empty else bool(modes[0]) if dtype == "bool" else str(modes[0])


def _counts(total: int, table: pd.DataFrame, problems: pd.DataFrame) -> dict[str, int]:
    reasons = problems["reason"].value_counts()
    test = int((table["fold"] == rows.TEST).sum())
    return {
        "rows_in": total,
        "rows_train": len(table) - test,
        "rows_test": test,
        "rejected": len(problems),
        **{f"rejected_{reason}": int(reasons.get(reason, 0)) for reason in cells.REASONS},
    }


def main() -> None:
    raw, table_schema = tables.read_raw(), schema.load()
    cleaned = clean(raw, table_schema, params.load("clean"))
    about = report(raw, cleaned, table_schema)
    test = cleaned.table["fold"] == rows.TEST
    tables.write(cleaned.table[~test], OUT / "train.parquet")
    tables.write(cleaned.table[test], OUT / "test.parquet")
    tables.write(cleaned.rejected, OUT / "rejected.parquet")
    files.write_json(OUT / "report.json", about)
    files.write_json(Path("metrics/clean.json"), cleaned.counts)
    print(" ".join(f"{name}={count}" for name, count in cleaned.counts.items() if count))
    if about["extra_columns"]:
        print(f"not in data/schema.yaml, and not used: {', '.join(about['extra_columns'])}")


if __name__ == "__main__":
    errors.run(main)
