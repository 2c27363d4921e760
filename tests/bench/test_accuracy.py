"""The benchmark of accuracy: fair splits, and a line for each contender."""

import numpy as np
import pandas as pd
import pytest

from bench import accuracy, accuracy_peers, accuracy_tables
from bench.accuracy_peers import Problem
from bench.accuracy_tables import Table
from pipeline.contract.column import Column
from pipeline.contract.schema import Schema
from tests.conftest import Project
from tests.tables import make_schema


def test_contenders_learn_from_the_training_rows_alone(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """No row that a split tests, and none of the project's own test split, is among the rows to learn from; each
    contender and each member of the model has a line."""
    monkeypatch.chdir(project.folder)
    seen: list[Problem] = []

    def peer(problem: Problem) -> np.ndarray:
        seen.append(problem)
        return accuracy_peers.hist_gradient_boosting(problem)

    monkeypatch.setattr(accuracy, "PEERS", {"a peer": peer})
    table = accuracy_tables.of_project()
    lines = list(accuracy.lines(1, [table]))

    (problem,) = seen
    rows = pd.MultiIndex.from_frame(table.raw[[column.name for column in table.schema.features]].astype(float))
    known, asked = (pd.MultiIndex.from_frame(each) for each in (problem.known, problem.asked))
    assert not known.isin(asked).any()
    assert sorted([*known, *asked]) == sorted(rows)
    project.stage("clean")
    assert len(rows) == len(pd.read_parquet(project.path("data/clean/train.parquet")))
    named = [line.split(" | ")[2] for line in lines[2:4]]
    assert named == [accuracy.PRODUCT, "a peer"]
    assert "| data/raw | " in lines[-1]


def table_of(**more: Column) -> Table:
    generator = np.random.default_rng(0)
    raw = pd.DataFrame({"x": range(60), "town": generator.choice(list("abcdef"), 60), "y": range(60)})
    raw["day"] = pd.date_range("2020-01-01", periods=60)[generator.permutation(60)].strftime("%Y-%m-%d")
    about: Schema = make_schema(Column("x", "int"), *more.values(), Column("y", "int", role="target"))
    return Table("table", raw.astype("str"), about)


def test_groups_stay_together() -> None:
    """With a group in the schema, none is on both sides of a split."""
    table = table_of(town=Column("town", "category", role="group"))
    for train, test in accuracy_tables.divide(table, 5):
        towns = [set(table.raw["town"].iloc[rows]) for rows in (train, test)]
        assert not towns[0] & towns[1]
        assert all(towns)


def test_a_time_is_tested_on_later_rows() -> None:
    """With a time in the schema, each split trains on rows that are earlier than all that it tests."""
    table = table_of(day=Column("day", "category", role="time"))
    splits = accuracy_tables.divide(table, 3)
    assert [len(test) for _, test in splits] == [2, 2, 2]
    for train, test in splits:
        assert table.raw["day"].iloc[train].max() < table.raw["day"].iloc[test].min()
