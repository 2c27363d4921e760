"""When a table as a whole is not fit to train on: each check raises PipelineError with what to do."""

import itertools
import re

import pandas as pd

from stages import rows
from stages.config import nearest
from stages.errors import PipelineError
from stages.schema import Schema


def size(found: int, least: int) -> None:
    if found < least:
        raise PipelineError(
            f"the raw table has {found} rows, expected at least clean.min_rows = {least}: "
            "add rows, or lower it in params.yaml"
        )


def columns(raw: pd.DataFrame, schema: Schema) -> None:
    missing = [column.name for column in schema.used if column.name not in raw]
    if missing:
        names = [f"{name}{nearest(name, map(str, raw))}" for name in missing]
        raise PipelineError(
            f"the raw table has no column {', '.join(names)}; it has {', '.join(map(str, raw.columns))}: "
            "correct its header, or data/schema.yaml"
        )


def rejected(problems: pd.DataFrame, total: int, limit: float) -> None:
    """`problems` as `stages.cells.parse` lists them, of `total` rows; at most the share `limit` may be rejected."""
    if len(problems) <= limit * total:
        return
    worst = problems["column"].value_counts().index[0]
    found = problems[problems["column"] == worst]
    examples = [
        f"row {line.row}: {line.column} = {line.value!r} ({line.reason.replace('_', ' ')})"
        for line in found.head(3).itertuples()
    ]
    commas = found["value"].map(lambda value: bool(re.fullmatch(r"-?\d+,\d+", value.strip()))).any()
    hint = "Numbers need a decimal point, not a comma" if commas else "Correct the table, or its bounds in"
    raise PipelineError(
        f"{len(problems)} of {total} rows are rejected, more than clean.max_rejected_fraction = {limit:g}; "
        f"most for column {worst}: {'; '.join(examples)}. {hint}{'' if commas else ' data/schema.yaml'}"
    )


def features(table: pd.DataFrame, schema: Schema) -> None:
    if empty := [column.name for column in schema.features if table[column.name].isna().all()]:
        raise PipelineError(
            f"column {', '.join(empty)} has no value in any usable row: fill it, or give it role ignore in "
            "data/schema.yaml"
        )


def groups(table: pd.DataFrame, schema: Schema) -> None:
    """A given split that divides a group would test on what it trained on."""
    for split, group in itertools.product(schema.with_role("split"), schema.with_role("group")):
        sides = table.groupby(group.name, observed=True)[split.name].nunique()
        if (sides > 1).any():
            raise PipelineError(
                f"column {split.name} puts {int((sides > 1).sum())} groups of {group.name} on both sides, such as "
                f"{sides.index[sides > 1][0]!r}: correct it, or give one of the two columns role ignore"
            )


def folds(fold: pd.Series, expected: set[int]) -> None:
    if empty := sorted(expected - set(fold)):
        names = ", ".join("the test split" if k == rows.TEST else f"fold {k}" for k in empty)
        raise PipelineError(
            f"no row falls into {names}: the table is too small or too uniform; lower clean.folds or raise "
            "clean.test_fraction in params.yaml"
        )
