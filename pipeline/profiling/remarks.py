"""What a person should look at in a schema that was guessed: how it is said, and what a table shows as a whole."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.contract.schema import Column, Schema
from pipeline.tables import cell_parser

# Beyond this correlation a feature is more likely the target in other words than a cause of it.
LEAK = 0.999
# Fewer rows than this correlate by chance.
ENOUGH = 10
# Below this a category has too few rows to learn from, and cells that are no numbers are slips of the pen.
RARE = 5
_ID = re.compile(r"(?i:id|idx|index|key|uuid|guid)$|.*[a-z]I[dD]$|(?i:.*[ _.-](id|idx|uuid|guid))$")
_TIME_NAMES = ("year", "date", "timestamp")


class Guess(NamedTuple):
    """A column, and where a person should look: what was seen and done (`topic`), and its `detail` here."""

    column: Column
    topic: str = ""
    detail: str = ""


class Remark(NamedTuple):
    """What was seen and done (`topic`), the column, and its own `detail`; no name where it is about the table."""

    topic: str
    name: str = ""
    detail: str = ""


def is_named_id(name: str) -> bool:
    return _ID.match(name) is not None


def shown(text: str, longest: int = 40) -> str:
    """A cell in quotes, cut where it is long."""
    return repr(text if len(text) <= longest else text[:longest] + "…")


def some(texts: list[str]) -> str:
    return ", ".join(map(shown, texts[:3])) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


def unusable(raw: pd.DataFrame, values: pd.Series, problems: pd.DataFrame) -> Iterator[Remark]:
    end = "clean rejects their rows, and stops when they are more than clean.max_rejected_fraction"
    if missing := int(values.isna().sum()) - len(problems):
        yield Remark(f"target missing; {end}", str(values.name), f"{missing} of {len(raw)} rows")
    if len(problems):
        examples = ", ".join(f"{shown(line.value)} in row {line.row}" for line in problems.head(3).itertuples())
        yield Remark(f"target no number; {end}", str(values.name), f"{len(problems)} of {len(raw)} rows: {examples}")
    if values.nunique() == 1:
        yield Remark("target always the same; there is nothing to predict", str(values.name), "")


def about_names(usable: pd.DataFrame, inferred: Schema) -> Iterator[Remark]:
    if "" in usable:
        place = usable.columns.get_loc("") + 1
        yield Remark(
            "left out, for it has no name; pandas writes its index so (index=False stops it)", f"column {place}", ""
        )
    timed = inferred.with_role("time")
    for column in inferred.columns:
        keyed = is_named_id(column.name) and column.role in ("feature", "ignore")
        if keyed and usable[column.name].astype("str").nunique() < len(usable):
            topic = "named like an id, but not used as one; role group keeps rows of one value on one side of the split"
            yield Remark(topic, column.name, f"role {column.role}")
        if column.role == "feature" and not timed and column.name.lower().endswith(_TIME_NAMES):
            topic = "named like a time, but kept as a feature; role time makes the latest rows the test split"
            yield Remark(topic, column.name, column.dtype)


def missing_values(usable: pd.DataFrame, inferred: Schema) -> Iterator[Remark]:
    blank = {column.name: column for column in inferred.features if column.nullable}
    typed = cell_parser.parse(usable, tuple(blank.values()))[0] if blank else pd.DataFrame()
    for name in blank:
        yield Remark("nullable, for values are missing", name, f"{typed[name].isna().sum()} of {len(usable)}")


def leaks(usable: pd.DataFrame, inferred: Schema) -> Iterator[Remark]:
    numeric = tuple(column for column in inferred.features if column.dtype != "category")
    typed = cell_parser.parse(usable, (*numeric, inferred.target))[0].astype("Float64")
    target = typed[inferred.target.name].to_numpy(float)
    for column in numeric:
        values = typed[column.name].to_numpy(float, na_value=np.nan)
        there = ~np.isnan(values)
        if there.sum() < ENOUGH:
            continue
        # A constant has no correlation (NaN), nor have numbers so large that their squares have no end.
        with np.errstate(all="ignore"):
            r = float(np.corrcoef(values[there], target[there])[0, 1])
        if abs(r) >= LEAK:
            topic = "nearly the target itself (correlation); if it is not known when predicting, give it role ignore"
            yield Remark(topic, column.name, f"{r:.4f}")


def placeholders(inferred: Schema) -> Iterator[Remark]:
    if any(column.min is not None or column.max is not None for column in inferred.used):
        yield Remark("min and max are guesses, a quarter of the range beyond what was seen; rows outside are rejected")
    yield Remark("unit, description and source are yours to fill in: the reports and the API show them to people")
