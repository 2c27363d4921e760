"""What cleaning does to the cells of any part of a table, and what must be true of the whole."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from stages import cells, rows
from stages.cleaning import checks
from stages.cleaning.tally import Tally
from stages.params import Clean
from stages.rows import Cuts
from stages.schema import Column, Schema


def typed(raw: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The usable rows of any part of a table, typed, with `row`; and the raw cells of the others, with the problem."""
    checks.columns(raw, schema)
    table, problems = cells.parse(raw, schema.used)
    usable = table.drop(index=problems["row"]) if len(problems) else table
    rejected = problems.merge(
        raw.loc[problems["row"]].astype("str"), left_on="row", right_index=True, suffixes=("", "_raw")
    )
    return usable.rename_axis("row").reset_index(), rejected


def look(found: Tally, moments: pd.DataFrame | None, schema: Schema, params: Clean) -> Cuts | None:
    """Where the whole table is cut by time, if it is fit to be split."""
    checks.size(found.rows, params.min_rows)
    checks.rejected(found, params.max_rejected_fraction)
    checks.features(found, schema)
    checks.groups(moments, schema)
    return rows.cuts(moments, schema, params.test_fraction, params.folds)


def counts(found: Tally) -> dict[str, int]:
    test = found.folds[rows.TEST]
    return {
        "rows_in": found.rows,
        "rows_train": found.usable - test,
        "rows_test": test,
        "rejected": found.reasons.total(),
        **{f"rejected_{reason}": found.reasons[reason] for reason in cells.REASONS},
    }


def report(found: Tally, middles: dict[str, float], schema: Schema, names: list[str]) -> dict[str, Any]:
    """By column: missing cells of usable rows, rejected rows, and what the training rows would impute (the median of
    numbers, in `middles`, and the most frequent boolean or category, the smaller of equals); and of the raw table's
    `names` those that no one asked for."""
    known = {column.name for column in schema.columns}
    modes = {
        column.name: _mode(column, found.values[column.name])
        for column in schema.features
        if column.name in found.values
    }
    imputed = {**middles, **modes}
    return {
        "columns": {
            column.name: {
                "missing": found.missing[column.name],
                "rejected": found.rejected[column.name],
                "impute": imputed.get(column.name),
            }
            for column in schema.used
        },
        "extra_columns": [name for name in names if name not in known],
    }


def _mode(column: Column, values: Mapping[Any, int]) -> Any:
    order = (False, True) if column.dtype == "bool" else column.categories
    known = [value for value in order if values.get(value)]
    return max(known, key=lambda value: values[value], default=None)
