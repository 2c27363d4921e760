"""The gate, promote and retrain through their real commands, in a project of their own."""

import json
import shutil

import pytest

from tests.conftest import Project

CHAMPION = "models/champion.onnx"


def history(project: Project) -> list[dict]:
    return [json.loads(line) for line in project.path("metrics/history.jsonl").read_text().splitlines()]


@pytest.fixture
def promoted(reproduced: Project) -> Project:
    """A project whose model was promoted."""
    reproduced.stage("gate")
    reproduced.stage("registry", "promote")
    return reproduced


def test_a_first_model_is_promoted(reproduced: Project) -> None:
    """Without a champion the gate promotes (exit 0), and promote writes the champion and its DVC record."""
    assert reproduced.stage("gate").stdout.startswith("RMSE new: ")
    reproduced.stage("registry", "promote")
    assert reproduced.path(CHAMPION).read_bytes() == reproduced.path("models/model.onnx").read_bytes()
    assert "md5: " in reproduced.path("models/champion.onnx.dvc").read_text()
    assert reproduced.run("git", "ls-files", CHAMPION).stdout == ""
    assert [("verdict" in line, "promoted" in line) for line in history(reproduced)] == [(True, False), (False, True)]


def test_the_same_model_keeps_the_champion(promoted: Project) -> None:
    """A challenger with the champion's bytes is a tie: exit 3, the champion stays; --json and --md say the same."""
    line = promoted.stage("gate", code=3).stdout.splitlines()[0]
    assert line.endswith("| keep")
    assert line.split("|")[0].split(": ")[1] == line.split("|")[1].split(": ")[1]
    assert json.loads(promoted.stage("gate", "--json", code=3).stdout)["verdict"] == "keep"
    assert promoted.stage("gate", "--md", code=3).stdout.startswith(f"**{line}**")


def only(family: str, grid: dict) -> dict:
    return {family: grid}


def test_a_worse_model_is_kept_out(promoted: Project) -> None:
    """A challenger that is worse beyond doubt exits 3 and cannot be promoted without --force."""
    promoted.edit_params(lambda p: p["train"].update(families=only("ridge", {"alpha": [10000]})))
    promoted.dvc("repro")
    assert promoted.stage("gate", code=3).stdout.splitlines()[0].endswith("| keep")
    before = promoted.path(CHAMPION).read_bytes()
    assert "last verdict" in promoted.stage("registry", "promote", code=1).stderr
    assert promoted.path(CHAMPION).read_bytes() == before
    promoted.stage("registry", "promote", "--force")
    assert promoted.path(CHAMPION).read_bytes() == promoted.path("models/model.onnx").read_bytes()
    assert history(promoted)[-1]["forced"] is True


def test_a_better_model_is_promoted(reproduced: Project) -> None:
    """A challenger that is better beyond doubt exits 0 against the champion of an earlier revision."""
    grids = json.dumps({"ridge": {"alpha": [1000]}})
    reproduced.edit_params(lambda p: p["train"].update(families=json.loads(grids)))
    reproduced.dvc("repro")
    reproduced.stage("gate")
    reproduced.stage("registry", "promote")
    reproduced.run("git", "checkout", "-q", "HEAD~2", "--", "params.yaml", "dvc.lock")
    reproduced.dvc("repro")
    assert reproduced.stage("gate").stdout.splitlines()[0].endswith("| promote")


def test_the_champion_comes_from_dvcs_cache(promoted: Project) -> None:
    """Without the champion's file in the workspace, or with another file in its place, the gate takes DVC's copy."""
    promoted.path(CHAMPION).unlink()
    assert promoted.stage("gate", code=3).stdout.splitlines()[0].endswith("| keep")
    promoted.path(CHAMPION).write_bytes(b"swapped")
    assert promoted.stage("gate", code=3).stdout.splitlines()[0].endswith("| keep")


def test_a_champion_that_is_nowhere_is_an_error(promoted: Project) -> None:
    """Without the file, the cache and a remote the gate could not decide: exit 1 and the way out."""
    promoted.path(CHAMPION).unlink()
    shutil.rmtree(promoted.path(".dvc/cache"))
    said = promoted.stage("gate", code=1).stderr
    assert "error: the champion of HEAD" in said
    assert "dvc pull" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda p: p.path("metrics/evaluate.json").unlink(), "metrics/evaluate.json is missing"),
        (lambda p: p.path("metrics/evaluate.json").write_text('{"rmse": 1.5}'), "records rmse 1.5, but"),
        (lambda p: p.path("models/model.onnx").unlink(), "models/model.onnx is missing: run `dvc repro`"),
        (lambda p: p.path("models/model.onnx").write_bytes(b"junk"), "models/model.onnx is no usable ONNX model"),
        (lambda p: p.path("data/clean/test.parquet").unlink(), "test.parquet is missing: run `dvc repro`"),
        (lambda p: p.path("params.yaml").unlink(), "params.yaml is missing"),
    ],
)
def test_what_cannot_be_decided_exits_1(reproduced: Project, spoil, said: str) -> None:
    """A missing or contradicting file or metric is exit 1 with one clear line and no traceback, never a verdict."""
    spoil(reproduced)
    done = reproduced.stage("gate", code=1)
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not reproduced.path("metrics/history.jsonl").exists()


def test_an_unknown_revision_is_an_error(reproduced: Project) -> None:
    """A --champion that is no revision is exit 1 and named."""
    assert "'nowhere' is no revision" in reproduced.stage("gate", "--champion", "nowhere", code=1).stderr


def test_retrain_needs_a_reason(promoted: Project) -> None:
    """Without drift, retrain says so and changes nothing; with --force it runs through to the gate's verdict."""
    before = history(promoted)
    assert "no reason (drift: insufficient)" in promoted.stage("retrain").stdout
    assert history(promoted) == before
    forced = promoted.stage("retrain", "--force").stdout
    assert "retrain: asked for" in forced
    assert "| keep" in forced


def test_drift_is_a_reason_to_retrain(promoted: Project) -> None:
    """Live rows that moved make retrain run the pipeline and the gate."""
    lines = promoted.path("data/raw/housing.csv").read_text().splitlines()
    header = lines[0].split(",")
    moved = [line.split(",") for line in lines[1:200]]
    for row in moved:
        row[header.index("LSTAT")] = "37"
    rows = [",".join(row) for row in [header, *moved]]
    promoted.path("data/live/rows.csv").write_text("\n".join(rows) + "\n")
    assert "retrain: drift: shifted" in promoted.stage("retrain").stdout
