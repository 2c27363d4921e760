"""The tables that models are compared on, and how their rows are divided, again and again."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, TimeSeriesSplit

from pipeline.cleaning.typed_rows import type_rows
from pipeline.contract import params, schema
from pipeline.contract.params import Clean, Features
from pipeline.contract.schema import Schema
from pipeline.profiling.inferred_schema import infer
from pipeline.tables import raw_table, splitting
from stages.clean import clean

HELD = 0.1  # share of the rows that a split tests
SEED = 0

Splits = list[tuple[np.ndarray, np.ndarray]]


class Table(NamedTuple):
    """A raw table whose rows all can be used; `schema` is of its user, or inferred from all of them."""

    name: str
    raw: pd.DataFrame
    schema: Schema


def shipped() -> Iterator[Table]:
    """Yield the project's own table, tables that packages ship, and those of Friedman (1991), generated."""
    yield of_project()
    yield _of_frame("diabetes", datasets.load_diabetes(as_frame=True, scaled=False).frame, "target")
    from palmerpenguins import load_penguins

    yield _of_frame("penguins", load_penguins(), "body_mass_g")
    # The noise is that of R's package mlbench.
    for make, noise in ((datasets.make_friedman1, 1), (datasets.make_friedman2, 125), (datasets.make_friedman3, 0.1)):
        features, target = make(1_000, noise=noise, random_state=SEED)
        frame = pd.DataFrame(features).add_prefix("x").assign(y=target)
        yield _of_frame(make.__name__.removeprefix("make_"), frame, "y")


def of_project() -> Table:
    """The training split of data/raw, with its schema: the project's test rows judge its model, and choose nothing."""
    about, raw = schema.load().excluding(params.load(Features).exclude), raw_table.read()
    cleaned = clean(raw, about, params.load(Clean)).table
    training = cleaned.loc[cleaned["fold"] != splitting.TEST, "row"]
    return Table("data/raw", raw.loc[training].reset_index(drop=True), about)


def of_file(path: Path, target: str) -> Table:
    """A file or folder of a user, without the rows that have no target, with the schema that is inferred from it."""
    raw = raw_table.read(path)
    about = infer(raw, target).schema
    typed, _ = type_rows(raw, about)
    return Table(path.stem, raw.loc[typed["row"]].reset_index(drop=True), about)


def divide(table: Table, count: int) -> Splits:
    """Return the positions of training and test rows of each split, seeded; no group is on both sides, and with a time
    the tests are the latest blocks of rows, each trained on what is earlier."""
    typed, _ = type_rows(table.raw, table.schema)
    time, group = (table.schema.with_role(role) for role in ("time", "group"))
    if time:
        order = np.argsort(typed[time[0].name].to_numpy(), kind="stable")
        blocks = TimeSeriesSplit(count, test_size=round(HELD * len(order) / count) or 1)
        return [(order[train], order[test]) for train, test in blocks.split(order)]
    if group:
        by_group = GroupShuffleSplit(count, test_size=HELD, random_state=SEED)
        return list(by_group.split(typed, groups=typed[group[0].name].astype("str")))
    return list(ShuffleSplit(count, test_size=HELD, random_state=SEED).split(typed))


def _of_frame(name: str, frame: pd.DataFrame, target: str) -> Table:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.csv"
        frame.to_csv(path, index=False)
        return of_file(path, target)
