"""Promote and retrain through their real commands, in a project of their own."""

import json

import pytest
import yaml

from tests.conftest import Project

CHAMPION = "models/champion.onnx"


def history(project: Project) -> list[dict]:
    return [json.loads(line) for line in project.path("metrics/history.jsonl").read_text().splitlines()]


@pytest.fixture
def promoted(reproduced: Project) -> Project:
    """A project whose model was promoted."""
    reproduced.ops("gate")
    reproduced.ops("registry", "promote")
    return reproduced


def test_a_first_model_is_promoted(reproduced: Project) -> None:
    """Without a champion the gate promotes (exit 0), and promote writes the champion and its DVC record."""
    assert reproduced.ops("gate").stdout.startswith("RMSE new: ")
    reproduced.ops("registry", "promote")
    assert reproduced.path(CHAMPION).read_bytes() == reproduced.path("models/model.onnx").read_bytes()
    assert "md5: " in reproduced.path("models/champion.onnx.dvc").read_text()
    assert reproduced.run("git", "ls-files", CHAMPION).stdout == ""
    assert [("verdict" in line, "promoted" in line) for line in history(reproduced)] == [(True, False), (False, True)]


def only(family: str, grid: dict) -> dict:
    return {family: grid}


def test_a_worse_model_is_kept_out(promoted: Project) -> None:
    """A challenger that is worse beyond doubt exits 3 and cannot be promoted without --force."""
    promoted.edit_params(lambda p: p["train"].update(families=only("ridge", {"alpha": [10000]})))
    promoted.dvc("repro")
    assert promoted.ops("gate", code=3).stdout.splitlines()[0].endswith("| keep")
    before = promoted.path(CHAMPION).read_bytes()
    assert "last verdict" in promoted.ops("registry", "promote", code=1).stderr
    assert promoted.path(CHAMPION).read_bytes() == before
    promoted.ops("registry", "promote", "--force")
    assert promoted.path(CHAMPION).read_bytes() == promoted.path("models/model.onnx").read_bytes()
    assert history(promoted)[-1]["forced"] is True


def test_retrain_needs_a_reason(promoted: Project) -> None:
    """Without drift, retrain says so and changes nothing; with --force it runs through to the gate's verdict."""
    before = history(promoted)
    assert "no reason (drift: insufficient)" in promoted.ops("retrain").stdout
    assert history(promoted) == before
    forced = promoted.ops("retrain", "--force").stdout
    assert "retrain: asked for" in forced
    assert "| keep" in forced


def move_the_live_rows(project: Project) -> None:
    """Live rows that moved, with errors that grew."""
    lines = project.path("data/raw/housing.csv").read_text().splitlines()
    header = lines[0].split(",")
    moved = [line.split(",") for line in lines[1:200]]
    for row in moved:
        row[header.index("LSTAT")] = "37"
    rows = [",".join(row) for row in [header, *moved]]
    project.path("data/live/rows.csv").write_text("\n".join(rows) + "\n")


@pytest.mark.slow
def test_drift_is_a_reason_to_retrain(promoted: Project) -> None:
    """Live rows that moved, with errors that grew, make retrain run the pipeline and the gate."""
    move_the_live_rows(promoted)
    assert "retrain: drift: risk" in promoted.ops("retrain").stdout


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
    ones; one that was asked for by FORCE=1 takes gate.policy."""
    add_a_time(project)
    good = project.path("params.yaml").read_text()
    project.edit_params(lambda p: p["train"].update(families=only("ridge", {"alpha": [1000]})))
    project.commit("a time, and a weak model")
    assert "promoted: " in project.ops("retrain", "--force").stdout
    assert history(project)[-2]["policy"] == "superior"
    project.path("params.yaml").write_text(good)
    move_the_live_rows(project)
    said = project.ops("retrain").stdout
    assert "retrain: drift: " in said
    assert "promoted: models/champion.onnx is now models/model.onnx" in said
    verdict = history(project)[-2]
    assert verdict["policy"] == "non_inferior"
    assert {"non_inferior", "recent"} < set(verdict["checks"])
