"""Remarks on a table: its target, its names, its missing cells, and leaks of the target."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pipeline.contract.schema import Schema
from pipeline.profiling.column_guess import is_named_id
from pipeline.profiling.remarks import Remark, shown

# From this correlation on, a feature is more likely the target in other words than a cause of it.
LEAK = 0.999
# Fewer rows may correlate by chance.
ENOUGH = 10
_TIME_NAMES = ("year", "date", "timestamp")


def target_cells(values: pd.Series, problems: pd.DataFrame) -> Iterator[Remark]:
    """Yield remarks on a target column: `values` are typed, `problems` those of `cell_parser.parse`."""
    rows, end = len(values), "clean rejects their rows, and stops above clean.max_rejected_fraction"
    if missing := int(values.isna().sum()) - len(problems):
        yield Remark(f"target missing; {end}", str(values.name), f"{missing} of {rows} rows")
    if len(problems):
        examples = ", ".join(f"{shown(line.value)} in row {line.row}" for line in problems.head(3).itertuples())
        yield Remark(f"target no number; {end}", str(values.name), f"{len(problems)} of {rows} rows: {examples}")
    if values.nunique() == 1:
        yield Remark("target always the same: there is nothing to predict", str(values.name))


def names(raw: pd.DataFrame, inferred: Schema) -> Iterator[Remark]:
    """Yield remarks on columns without a name, or whose name contradicts their role."""
    if "" in raw:
        topic = "left out: it has no name; pandas writes its index so, unless with index=False"
        yield Remark(topic, f"column {raw.columns.get_loc('') + 1}")
    has_time = bool(inferred.with_role("time"))
    for column in inferred.columns:
        unused = is_named_id(column.name) and column.role in ("feature", "ignore")
        if unused and raw[column.name].astype("str").nunique() < len(raw):
            topic = "named like an id, but not used as one; with role group, rows of one value stay together"
            yield Remark(topic, column.name, f"role {column.role}")
        if column.role == "feature" and not has_time and column.name.lower().endswith(_TIME_NAMES):
            topic = "named like a time, but used as a feature; with role time, the latest rows are the test split"
            yield Remark(topic, column.name, column.dtype)


def leaks(table: pd.DataFrame, inferred: Schema) -> Iterator[Remark]:
    """Yield remarks on numeric features of a typed table that correlate almost perfectly with the target."""
    target = table[inferred.target.name].astype(float)
    for column in inferred.features:
        if column.dtype == "category":
            continue
        # NaN for too few rows, for a constant, and where a sum overflows.
        with np.errstate(all="ignore"):
            r = table[column.name].astype(float).corr(target, min_periods=ENOUGH)
        if abs(r) >= LEAK:
            topic = "nearly the target itself (correlation); if it is not known when predicting, give it role ignore"
            yield Remark(topic, column.name, f"{r:.4f}")


def missing_cells(table: pd.DataFrame, inferred: Schema) -> Iterator[Remark]:
    """Yield a remark on each feature of a typed table with missing cells."""
    for column in inferred.features:
        if column.nullable:
            count = table[column.name].isna().sum()
            yield Remark("nullable, for cells are missing", column.name, f"{count} of {len(table)}")


def placeholders(inferred: Schema) -> Iterator[Remark]:
    """Yield remarks on what only a person can know."""
    if any(column.min is not None or column.max is not None for column in inferred.used):
        yield Remark("min and max are guesses, a quarter of the range beyond the data; rows outside are rejected")
    yield Remark("unit, description and source are yours to fill in: reports and the API show them to people")
