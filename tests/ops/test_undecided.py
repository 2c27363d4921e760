"""Cases that the gate cannot decide: records that are missing, broken or of something else."""

import re
import shutil
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.conftest import Project
from tests.ops.gating import CHAMPION, EVALUATION, MODEL, edit_json, gate


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (None, "metrics/evaluate.json at HEAD is missing"),
        ("{", "metrics/evaluate.json at HEAD cannot be read ("),
        ("[]", "metrics/evaluate.json at HEAD: expected a number 'rmse', found None"),
        (lambda content: content.pop("rmse"), "metrics/evaluate.json at HEAD: expected a number 'rmse', found None"),
        (lambda content: content.update(rmse=float("nan")), "expected a number 'rmse', found nan"),
        (lambda content: content.update(rmse=content["rmse"] * 1.00001), "split the champion scores"),
    ],
)
def test_what_the_champions_commit_must_record(challenged: Project, change: Any, said: str) -> None:
    """A metric that is missing at the champion's commit, cannot be read, is no number, or is not what the champion
    scores on the same split: the gate could not decide."""
    path = challenged.path(EVALUATION)
    ours = path.read_text()
    challenged.run("git", "checkout", "-q", "HEAD", "--", EVALUATION)
    if change is None:
        path.unlink()
    elif isinstance(change, str):
        path.write_text(change)
    else:
        edit_json(path, change)
    challenged.run("git", "commit", "-q", "--amend", "-m", "spoilt", EVALUATION)
    path.write_text(ours)
    done = challenged.ops("gate", code=1)
    assert done.stderr.startswith("error: could not decide: ")
    assert said in done.stderr


def test_the_run_that_made_the_champion_is_held_to_its_record(challenged: Project) -> None:
    """The recorded RMSE that must be the champion's score is that of the commit that the champion's record names, also
    where HEAD has run the pipeline since."""
    outputs = ("dvc.lock", EVALUATION)
    ours = [challenged.path(name).read_text() for name in outputs]
    challenged.run("git", "checkout", "-q", "HEAD", "--", *outputs)
    edit_json(challenged.path(EVALUATION), lambda content: content.update(rmse=content["rmse"] * 1.00001))
    challenged.run("git", "commit", "-q", "-m", "spoilt", EVALUATION)
    spoilt = challenged.run("git", "rev-parse", "HEAD").stdout.strip()
    for name, text in zip(outputs, ours, strict=True):
        challenged.path(name).write_text(text)
    challenged.commit("the outputs of a new run")
    found = gate(challenged, code=0)
    assert "recorded at HEAD" in found["notes"][0]
    record = challenged.path(f"{CHAMPION}.dvc")
    content = yaml.safe_load(record.read_text())
    content["meta"]["revision"] = spoilt
    record.write_text(yaml.safe_dump(content))
    challenged.commit("another revision")
    assert f"metrics/evaluate.json at {spoilt} records rmse" in challenged.ops("gate", code=1).stderr


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda p: p.path(EVALUATION).unlink(), "metrics/evaluate.json is missing: run `dvc repro`"),
        (lambda p: p.path(EVALUATION).write_text('{"rmse": 1.5}'), "records rmse 1.5, but"),
        (lambda p: p.path(EVALUATION).write_text("{"), "metrics/evaluate.json cannot be read"),
        (lambda p: p.path(MODEL).unlink(), "models/model.onnx is missing: run `dvc repro`"),
        (lambda p: p.path(MODEL).write_bytes(b"junk"), "models/model.onnx is no usable ONNX model"),
        (lambda p: p.path("data/clean/test.parquet").unlink(), "test.parquet is missing: run `dvc repro`"),
        (lambda p: p.path("params.yaml").unlink(), "params.yaml is missing"),
    ],
)
def test_what_cannot_be_decided_exits_1(reproduced: Project, spoil: Callable[[Project], object], said: str) -> None:
    """A missing or contradicting file or metric is exit 1 with one clear line and no traceback, never a verdict."""
    spoil(reproduced)
    done = reproduced.ops("gate", code=1)
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not reproduced.path("metrics/history.jsonl").exists()


def test_another_table_is_noticed_before_the_champion_is_rebuilt(promoted: Project) -> None:
    """With another target in the workspace, the gate compares schemas before it rebuilds a champion whose file is
    nowhere, and names the files to remove; without them, the model is a first one."""
    table = pd.read_csv(promoted.path("data/raw/housing.csv")).rename(columns={"MEDV": "PRICE"})
    table.to_csv(promoted.path("data/raw/housing.csv"), index=False)
    schema = promoted.path("data/schema.yaml")
    schema.write_text(schema.read_text().replace("  MEDV:", "  PRICE:"))
    promoted.dvc("repro", "evaluate")
    promoted.path(CHAMPION).unlink()
    shutil.rmtree(promoted.path(".dvc/cache"))
    done = promoted.ops("gate", code=1)
    assert "rebuilding" not in done.stderr
    assert "cannot be compared: it predicts MEDV, the new model PRICE; the table in this workspace is an" in done.stderr
    command = re.search(r"run `(rm -f models/champion\.onnx\.dvc .*?)`", done.stderr)
    assert command
    promoted.run("bash", "-c", command[1])
    promoted.commit("another table")
    assert promoted.ops("gate").stdout.splitlines()[0].endswith("| current: none | promote")


def test_an_unknown_revision_is_an_error(reproduced: Project) -> None:
    """A --champion that is no revision is exit 1 and named."""
    assert "'nowhere' is no revision" in reproduced.ops("gate", "--champion", "nowhere", code=1).stderr
