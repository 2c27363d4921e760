"""Clean: raw cells to a typed, validated table, split once and for all.

Reads data/raw, data/schema.yaml, params `clean`; writes data/clean/{train,test,rejected}.parquet and
metrics/clean.json. Missing feature values stay missing: what replaces them is learned in training.
"""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from stages import cells, errors, files, params, rows, schema, tables
from stages.errors import PipelineError
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

    Raises PipelineError where columns are missing, rows are too few or too many of them are rejected.
    """
    _check_columns(raw, schema)
    if len(raw) < params.min_rows:
        raise PipelineError(
            f"the raw table has {len(raw)} rows, expected at least clean.min_rows = {params.min_rows}: "
            "add rows, or lower it in params.yaml"
        )
    typed, problems = cells.parse(raw, schema.used)
    table = typed.drop(index=problems["row"]).rename_axis("row").reset_index()
    table["fold"] = rows.assign(table, schema, params.test_fraction, params.folds)
    rejected = problems.merge(raw.astype("str"), left_on="row", right_index=True, suffixes=("", "_raw"))
    _check_rejected(problems, len(raw), params.max_rejected_fraction)
    _check_folds(table["fold"], params.folds)
    return Cleaned(table, rejected, _counts(raw, table, problems))


def _check_columns(raw: pd.DataFrame, schema: Schema) -> None:
    missing = [column.name for column in schema.used if column.name not in raw]
    if missing:
        raise PipelineError(
            f"the raw table has no column {', '.join(missing)}; it has {', '.join(map(str, raw.columns))}: "
            "correct its header, or data/schema.yaml"
        )


def _check_rejected(problems: pd.DataFrame, total: int, limit: float) -> None:
    if len(problems) <= limit * total:
        return
    worst = problems["column"].value_counts().index[0]
    examples = [
        f"row {line.row}: {line.column} = {line.value!r} ({line.reason.replace('_', ' ')})"
        for line in problems[problems["column"] == worst].head(3).itertuples()
    ]
    raise PipelineError(
        f"{len(problems)} of {total} rows are rejected, more than clean.max_rejected_fraction = {limit:g}; "
        f"most for column {worst}: {'; '.join(examples)}. Correct the table, or its bounds in data/schema.yaml"
    )


def _check_folds(fold: pd.Series, folds: int) -> None:
    if empty := sorted({rows.TEST, *range(folds)} - set(fold)):
        names = ", ".join("the test split" if k == rows.TEST else f"fold {k}" for k in empty)
        raise PipelineError(
            f"no row falls into {names}: the table is too small or too uniform; lower clean.folds or raise "
            "clean.test_fraction in params.yaml"
        )


def _counts(raw: pd.DataFrame, table: pd.DataFrame, problems: pd.DataFrame) -> dict[str, int]:
    reasons = problems["reason"].value_counts()
    test = int((table["fold"] == rows.TEST).sum())
    return {
        "rows_in": len(raw),
        "rows_train": len(table) - test,
        "rows_test": test,
        "rejected": len(problems),
        **{f"rejected_{reason}": int(reasons.get(reason, 0)) for reason in cells.REASONS},
    }


def main() -> None:
    cleaned = clean(tables.read_raw(), schema.load(), params.load("clean"))
    test = cleaned.table["fold"] == rows.TEST
    tables.write(cleaned.table[~test], OUT / "train.parquet")
    tables.write(cleaned.table[test], OUT / "test.parquet")
    tables.write(cleaned.rejected, OUT / "rejected.parquet")
    files.write_json(Path("metrics/clean.json"), cleaned.counts)
    print(" ".join(f"{name}={count}" for name, count in cleaned.counts.items()))


if __name__ == "__main__":
    errors.run(main)
