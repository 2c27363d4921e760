"""The loop for real: a server with its log, drift, feedback, a retrain, the gate, and the server's next model."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.tables import raw_table
from tests.conftest import WEAK, Project
from tests.ops.gating import history
from tests.ops.releasing import git, record, state
from tests.test_docs import follow


@pytest.fixture
def promoted(promoted: Project) -> Iterator[Project]:
    """A server that is started in the project ends with the test."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        promoted.env["PORT"] = str(probe.getsockname()[1])
    yield promoted
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int(promoted.path("data/log/server.pid").read_text()), signal.SIGKILL)


def live_parts(project: Project) -> list[Path]:
    return sorted(project.path("data/raw").glob("live-*"))


def report(project: Project) -> dict:
    return json.loads(project.path("metrics/drift.json").read_text())


def moved(project: Project, seed: int, count: int = 150) -> pd.DataFrame:
    """Rows of the training split, somewhat poorer and smaller, with their prices."""
    table = pd.read_parquet(project.path("data/clean/train.parquet")).drop(columns=["row", "fold"])
    table = table.sample(count, random_state=seed)
    return table.assign(LSTAT=table["LSTAT"] + 5, RM=0.9 * table["RM"] + seed / 1000)


def test_retrain_needs_a_reason(promoted: Project) -> None:
    """Without drift, retrain says so and changes nothing; with --force it runs through to the gate's verdict."""
    before = history(promoted)
    assert "no reason (drift: insufficient)" in promoted.real().ops("retrain").stdout
    assert history(promoted) == before
    forced = promoted.ops("retrain", "--force").stdout
    assert "retrain: asked for" in forced
    assert "| keep" in forced


def everything(project: Project) -> tuple:
    """What a retrain that has nothing to learn leaves as it was."""
    return *state(project), git(project, "status", "--short"), project.dvc("status").stdout


def said_last(project: Project, *arguments: str) -> str:
    return project.ops("retrain", *arguments).stdout.splitlines()[-1]


def test_a_shift_without_new_rows_changes_nothing(promoted: Project) -> None:
    """Where live rows shifted and none has feedback, retrain says in one line that there is nothing new to learn from.
    All is as `dvc repro drift` has left it: files, commits, tags, history, and what DVC thinks of them."""
    moved(promoted, 1).drop(columns="MEDV").to_csv(promoted.path("data/live/rows.csv"), index=False)
    promoted.dvc("repro", "drift")
    assert report(promoted)["retrain"]
    before = everything(promoted)
    drift = f"(drift: {report(promoted)['verdict']})"
    nothing = "retrain: nothing new to learn from: 0 labelled live rows"
    assert said_last(promoted) == f"{nothing} {drift}; the champion stays"
    assert everything(promoted) == before


def test_broken_values_retrain_nothing(promoted: Project) -> None:
    """Live rows with feedback of which half lack LSTAT add nothing to data/raw, though they shifted and errors grew."""
    rows = moved(promoted, 1).assign(LSTAT=lambda t: t["LSTAT"].where(t.index % 2 > 0), MEDV=lambda t: 50 - t["MEDV"])
    rows.to_csv(promoted.path("data/live/rows.csv"), index=False)
    promoted.dvc("repro", "drift")
    before = everything(promoted)
    assert "retrain: nothing is learned from broken values (drift: risk;" in said_last(promoted)
    assert everything(promoted) == before


@pytest.mark.slow
def test_the_loop_as_the_page_tells_it(promoted: Project) -> None:
    """Every command of docs/loop.md prints what the page shows. After it the part is committed with the model and has
    the raw table's columns; the old rows are where they were, and no row is on both sides or there twice."""
    before = {name: pd.read_parquet(promoted.path(f"data/clean/{name}.parquet")) for name in ("train", "test")}
    follow(promoted, "docs/loop.md")
    (part,) = live_parts(promoted)
    assert promoted.run("git", "status", "--short", "data/raw").stdout == ""
    assert list(raw_table.read_part(part)) == list(raw_table.read_part(promoted.path("data/raw/housing.csv")))
    after = {name: pd.read_parquet(promoted.path(f"data/clean/{name}.parquet")) for name in ("train", "test")}
    for name, table in after.items():
        old = table[table["row"] < 506].reset_index(drop=True)
        pd.testing.assert_frame_equal(old, before[name])
    features = [name for name in after["test"] if name not in ("row", "fold", "MEDV")]
    assert after["train"].merge(after["test"], on=features).empty
    assert not pd.concat(after.values()).duplicated(features).any()


@pytest.mark.slow
def test_a_challenger_that_is_kept_out_waits_for_feedback(promoted: Project) -> None:
    """Labelled rows whose model the gate does not promote stay beside it. Without news the next retrain asks nobody;
    with more feedback it adds that alone and asks the gate again."""
    # Prices that have nothing to do with the rows: no model can be better beyond doubt.
    prices = np.random.default_rng(0).permutation
    first, second = (moved(promoted, seed).assign(MEDV=lambda t: prices(t["MEDV"])) for seed in (1, 2))
    first.to_csv(promoted.path("data/live/first.csv"), index=False)
    said = promoted.ops("retrain").stdout
    assert "retrain: drift: risk" in said
    assert "retrain: 150 labelled live rows are the new part" in said
    assert said.endswith("retrain: the champion stays\n")
    history = promoted.path("metrics/history.jsonl").read_text()
    said = promoted.ops("retrain").stdout
    assert "retrain: 150 labelled live rows, all in data/raw already" in said
    assert "this model is judged already" in said
    assert promoted.path("metrics/history.jsonl").read_text() == history
    second.to_csv(promoted.path("data/live/second.csv"), index=False)
    assert "retrain: 150 labelled live rows are the new part" in promoted.ops("retrain").stdout
    assert len(promoted.path("metrics/history.jsonl").read_text()) > len(history)
    assert [len(pd.read_parquet(part)) for part in live_parts(promoted)] == [150, 150]


@pytest.mark.slow
def test_rows_are_new_until_a_promotion(promoted: Project) -> None:
    """Labelled rows that a promoted model has learned are not new, after a rollback neither: a shift does not bring
    back what a person took back. A part that somebody adds to data/raw is new, and then the gate decides."""
    moved(promoted, 1).to_csv(promoted.path("data/live/rows.csv"), index=False)
    promoted.ops("retrain")
    promoted.ops("registry", "promote", "--force")
    nothing = "retrain: nothing new to learn from: 150 labelled live rows, all in data/raw already (drift: "
    assert said_last(promoted).startswith(nothing)
    promoted.ops("registry", "rollback")
    assert said_last(promoted).startswith(nothing)
    assert record(promoted)["meta"]["version"] == "v1.0.0"
    moved(promoted, 2).to_csv(promoted.path("data/raw/mine.csv"), index=False)
    lines = len(history(promoted))
    assert "RMSE new: " in promoted.ops("retrain").stdout
    assert "verdict" in history(promoted)[lines]


@pytest.mark.slow
def test_what_the_model_ignores_retrains_nothing(promoted: Project) -> None:
    """A column that the model does not depend on, and one that it does not take, are reported where they shift;
    data/raw and the champion stay, though the rows have prices. An export alone retrains nothing."""
    promoted.edit_params(lambda p: p["features"].update(exclude=["B"]))
    promoted.dvc("repro")
    promoted.ops("gate", code=(0, 3, 4))
    promoted.ops("registry", "promote", "--force")
    importance = pd.read_csv(promoted.path("metrics/plots/importance.csv"), index_col="feature")
    assert "B" not in importance.index
    unused = next(name for name in ("ZN", "CHAS", "RAD", "INDUS") if importance["low"][name] <= 0)
    rows = pd.read_parquet(promoted.path("data/clean/test.parquet")).drop(columns=["row", "fold"])
    tops = {"ZN": 90.0, "CHAS": True, "RAD": 24, "INDUS": 27.0}
    rows.assign(**{"B": 100.0, unused: tops[unused]}).to_parquet(promoted.path("data/live/rows.parquet"))
    head = promoted.run("git", "rev-parse", "HEAD").stdout
    assert promoted.ops("retrain").stdout.endswith("retrain: no reason (drift: shifted); the champion stays\n")
    assert {"B", unused} <= set(report(promoted)["moved"])
    assert sum("does not depend on it" in finding for finding in report(promoted)["findings"]) >= 2
    assert live_parts(promoted) == []
    assert promoted.run("git", "rev-parse", "HEAD").stdout == head


def add_a_time(project: Project) -> None:
    """A column SOLD: a number, in no relation to the others."""
    raw, schema = project.path("data/raw/housing.csv"), project.path("data/schema.yaml")
    header, *rows = raw.read_text().splitlines()
    sold = [f"{row},{place * 97 % len(rows)}" for place, row in enumerate(rows)]
    raw.write_text("\n".join([f"{header},SOLD", *sold]) + "\n")
    content = yaml.safe_load(schema.read_text())
    content["columns"]["SOLD"] = {"dtype": "int", "role": "time"}
    schema.write_text(yaml.safe_dump(content, sort_keys=False))


@pytest.mark.slow
def test_drift_asks_for_what_is_better_on_recent_rows(project: Project) -> None:
    """With a time column, a retrain for drift promotes what is no worse on all rows and better on the most recent
    ones; one that was asked for by --force takes gate.policy."""
    add_a_time(project)
    good = project.path("params.yaml").read_text()
    project.edit_params(lambda p: p["train"].update(families=WEAK))
    project.commit("a time, and a weak model")
    assert "promoted: " in project.ops("retrain", "--force").stdout
    assert history(project)[-2]["policy"] == "superior"
    project.path("params.yaml").write_text(good)
    # Rows that moved, with errors that grew.
    live = pd.read_csv(project.path("data/raw/housing.csv"), nrows=199).assign(LSTAT=37)
    live.to_csv(project.path("data/live/rows.csv"), index=False)
    said = project.ops("retrain").stdout
    assert "retrain: drift: " in said
    assert "promoted: models/champion.onnx is now models/model.onnx" in said
    verdict = history(project)[-2]
    assert verdict["policy"] == "non_inferior"
    assert {"non_inferior", "recent"} < set(verdict["checks"])
