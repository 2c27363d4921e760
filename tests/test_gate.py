"""The gate through its real command, in projects of their own: every situation, its line and its exit code."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from stages.matrix import to_matrix
from stages.onnx_file import Model
from tests.conftest import Project

CHAMPION, MODEL = "models/champion.onnx", "models/model.onnx"
EVALUATION = "metrics/evaluate.json"
WEAK = {"ridge": {"alpha": [1000]}}


def gate(project: Project, *arguments: str, code: int) -> dict[str, Any]:
    """The verdict as --json, with its checks by name."""
    found = json.loads(project.stage("gate", "--json", *arguments, code=code).stdout)
    return found | {"checks": {check["name"]: check["passed"] for check in found["checks"]}}


def history(project: Project) -> list[dict[str, Any]]:
    return [json.loads(line) for line in project.path("metrics/history.jsonl").read_text().splitlines()]


def set_gate(project: Project, **changes: object) -> None:
    project.edit_params(lambda p: p["gate"].update(changes))


def edit_json(path: Path, change: Callable[[dict], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.fixture(scope="session")
def _challenged(_reproduced: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The champion of HEAD is a weak ridge, the workspace's model the small grids' best; both were recorded."""
    made = _reproduced.copy(tmp_path_factory.mktemp("challenged") / "project")
    good = made.run("git", "rev-parse", "HEAD").stdout.strip()
    made.edit_params(lambda p: p["train"].update(families=WEAK))
    made.dvc("repro")
    made.stage("gate")
    made.stage("registry", "promote")
    # All that the good revision recorded comes back; the champion's record and the history are not among it.
    recorded = made.run("git", "diff", "--name-only", "--diff-filter=d", "HEAD", good).stdout.split()
    made.run("git", "restore", f"--source={good}", "--", *recorded)
    made.dvc("checkout")
    return made


@pytest.fixture
def challenged(_challenged: Project, tmp_path: Path) -> Project:
    return _challenged.copy(tmp_path / "project")


def test_a_better_model_is_promoted(challenged: Project) -> None:
    """A challenger that is better beyond doubt exits 0 against the champion of the last commit, with every check, the
    wear of the split, the smallest visible improvement and cross-validation; asking twice is a line each and no wear.
    """
    lines = challenged.stage("gate").stdout.splitlines()
    assert lines[0].startswith("RMSE new: ")
    assert lines[0].endswith("| promote")
    said = "\n".join(lines)
    for name in ("skill", "superior", "coverage", "servable", "slices", "contract"):
        assert f"  pass  {name} " in said
    for remark in ("has judged 0 other models", "The smallest improvement that these", "over 15 fits of each on "):
        assert remark in said
    assert challenged.stage("gate", "--md").stdout.startswith(f"**{lines[0]}**")
    first, again = history(challenged)[-2:]
    assert {**first, "time": ""} == {**again, "time": ""}
    champion = yaml.safe_load(challenged.path("models/champion.onnx.dvc").read_text())["outs"][0]["md5"]
    assert (first["verdict"], first["champion"], first["earlier"]) == ("promote", champion, 0)
    assert set(first["checks"].values()) == {True}


@pytest.mark.slow
def test_a_worse_model_is_kept_out_and_wears_the_split(challenged: Project) -> None:
    """The other way round the weak model is kept out (exit 3), the champion is equal to itself (exit 3), and the next
    challenger on the same rows is tested harder."""
    challenged.stage("gate")
    challenged.stage("registry", "promote")
    challenged.commit("a good champion")
    assert gate(challenged, code=3)["checks"]["superior"] is False
    challenged.edit_params(lambda p: p["train"].update(families=WEAK))
    challenged.dvc("repro")
    said = challenged.stage("gate", code=3).stdout
    assert said.splitlines()[0].endswith("| keep")
    assert "worse beyond doubt" in said
    # The good model met the weak champion on these rows; the champion against itself was no test.
    assert "has judged 1 other model before: tested at alpha 0.0083" in said


def test_a_first_model_needs_floors_and_the_server(reproduced: Project) -> None:
    """Without a champion the model is promoted when it is good enough and servable: no recorded metric of the revision
    is needed, and nothing is compared."""
    found = gate(reproduced, code=0)
    assert (found["rmse_current"], found["champion"]) == (None, None)
    assert set(found["checks"]) == {"skill", "coverage", "servable"}


def refuse_to_serve(project: Project) -> None:
    """The server compares the file with DVC's record of it."""
    lock = project.path("dvc.lock")
    outputs = yaml.safe_load(lock.read_text())["stages"]["select"]["outs"]
    md5 = next(output["md5"] for output in outputs if output["path"] == MODEL)
    lock.write_text(lock.read_text().replace(md5, "0" * 32))


def make_the_champion_right_for_the_low_prices(project: Project) -> None:
    """The lower third of the test rows gets the champion's predictions as target, half a unit off."""
    path = project.path("data/clean/test.parquet")
    table, champion = pd.read_parquet(path), Model.load(project.path(CHAMPION))
    low = table["MEDV"] <= table["MEDV"].quantile(1 / 3)
    rows = table[low]
    said = champion.predict(to_matrix(rows, champion.description.columns))[:, 0]
    table.loc[low, "MEDV"] = said + np.where(np.arange(len(rows)) % 2, 0.5, -0.5)
    path.unlink()  # a link into DVC's cache, perhaps
    table.to_parquet(path)
    project.stage("evaluate")


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("skill", lambda p: set_gate(p, min_skill=0.99)),
        ("max_rmse", lambda p: set_gate(p, max_rmse=0.5)),
        ("superior", lambda p: set_gate(p, min_improvement=0.99)),
        ("coverage", lambda p: set_gate(p, coverage_tolerance=0, alpha=0.999)),
        ("servable", refuse_to_serve),
        ("slices", make_the_champion_right_for_the_low_prices),
    ],
)
def test_each_check_can_fail_alone(challenged: Project, name: str, spoil: Callable[[Project], None]) -> None:
    """A better model with one check that fails keeps the champion: exit 3, and the check is named."""
    spoil(challenged)
    found = gate(challenged, code=3)
    assert [check for check, passed in found["checks"].items() if not passed] == [name]
    assert name in found["reason"]
    assert history(challenged)[-1]["checks"] == found["checks"]


def test_non_inferior_without_a_time(challenged: Project) -> None:
    """--policy overrides gate.policy; without a time column all rows must be better, and the verdict says so."""
    found = gate(challenged, "--policy", "non_inferior", code=0)
    assert "superior" in found["checks"]
    assert "no time column" in " ".join(found["notes"])


@pytest.mark.slow
def test_changed_data_and_a_narrower_contract(challenged: Project) -> None:
    """With other rows and a narrower schema both models are scored on today's split and the recorded number is called
    old; the contract check alone fails, and --allow-contract-change lifts it."""
    raw = challenged.path("data/raw/housing.csv")
    raw.write_text("\n".join(raw.read_text().splitlines()[:-20]) + "\n")
    schema = challenged.path("data/schema.yaml")
    content = yaml.safe_load(schema.read_text())
    content["columns"]["RM"]["max"] = 9
    schema.write_text(yaml.safe_dump(content, sort_keys=False))
    challenged.dvc("repro")
    found = gate(challenged, code=3)
    assert [check for check, passed in found["checks"].items() if not passed] == ["contract"]
    assert "is of another model or test split" in " ".join(found["notes"])
    assert "fits of each on 3" in " ".join(found["notes"])
    assert gate(challenged, "--allow-contract-change", code=0)["verdict"] == "promote"


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"swapped")])
def test_the_champion_comes_from_dvcs_cache(challenged: Project, spoil: Callable[[Path], object]) -> None:
    """Without the champion's file in the workspace, or with another in its place, the gate takes DVC's copy."""
    spoil(challenged.path(CHAMPION))
    assert gate(challenged, code=0)["verdict"] == "promote"


@pytest.mark.slow
def test_the_champion_comes_from_a_remote(challenged: Project, tmp_path: Path) -> None:
    """Without the file and the cache, the gate takes the remote's copy."""
    challenged.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    challenged.dvc("push")
    challenged.commit("a remote")
    challenged.path(CHAMPION).unlink()
    shutil.rmtree(challenged.path(".dvc/cache"))
    done = challenged.stage("gate")
    assert done.stdout.splitlines()[0].endswith("| promote")
    assert "rebuil" not in done.stderr


def worktrees(project: Project) -> int:
    return len(project.run("git", "worktree", "list").stdout.splitlines())


def damage(project: Project) -> None:
    """The champion's copy in the cache is another file than its name says."""
    md5 = yaml.safe_load(project.path("models/champion.onnx.dvc").read_text())["outs"][0]["md5"]
    copy = project.path(f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}")
    copy.chmod(0o644)
    copy.write_bytes(b"corrupt")


def lose_cache(project: Project) -> None:
    shutil.rmtree(project.path(".dvc/cache"))


def roll_back_and_lose_cache(project: Project) -> None:
    """The lock of HEAD is then of the model that was rolled back."""
    project.stage("gate")
    project.stage("registry", "promote")
    project.stage("registry", "rollback")
    lose_cache(project)


@pytest.mark.slow
@pytest.mark.parametrize("lose", [lose_cache, damage, roll_back_and_lose_cache])
def test_a_lost_champion_is_rebuilt(challenged: Project, lose: Callable[[Project], object]) -> None:
    """With no usable copy anywhere, the champion's own commit makes it again in a temporary worktree; the gate says
    what it does and whether the bytes are the recorded ones, and nothing is left behind."""
    lose(challenged)
    challenged.path(CHAMPION).unlink()
    done = challenged.stage("gate")
    assert done.stdout.splitlines()[0].endswith("| promote")
    assert "gate: rebuilding models/model.onnx of" in done.stderr
    assert "as recorded" in done.stderr
    assert worktrees(challenged) == 1


@pytest.mark.slow
def test_a_champion_rebuilt_to_other_bytes_is_judged_all_the_same(challenged: Project) -> None:
    """Where the rebuilt file is not the recorded one (another processor), the verdict says so, is about the recorded
    champion, and permits promote."""
    recorded, other = yaml.safe_load(challenged.path(f"{CHAMPION}.dvc").read_text())["outs"][0]["md5"], "f" * 32
    ours = challenged.path("dvc.lock").read_text()
    challenged.run("git", "checkout", "-q", "HEAD", "--", "dvc.lock")
    for name in ("dvc.lock", f"{CHAMPION}.dvc"):
        challenged.path(name).write_text(challenged.path(name).read_text().replace(recorded, other))
    challenged.run("git", "commit", "-q", "--amend", "-m", "made elsewhere", "dvc.lock", f"{CHAMPION}.dvc")
    challenged.path("dvc.lock").write_text(ours)
    challenged.path(CHAMPION).unlink()
    found = gate(challenged, code=0)
    assert f"not the same file: md5 {recorded}, recorded {other}" in found["notes"][0]
    assert history(challenged)[-1]["champion"] == other
    assert "housing@v1.1.0" in challenged.stage("registry", "promote").stdout


@pytest.mark.slow
def test_a_champion_that_cannot_be_rebuilt_is_an_error(challenged: Project) -> None:
    """Where its commit's pipeline fails, too, the gate could not decide: exit 1, both reasons, and the way out."""
    good = challenged.path("params.yaml").read_text()
    challenged.path("params.yaml").write_text("train: {}\n")
    challenged.run("git", "commit", "-q", "--amend", "-m", "broken", "params.yaml")
    challenged.path("params.yaml").write_text(good)
    challenged.path(CHAMPION).unlink()
    shutil.rmtree(challenged.path(".dvc/cache"))
    said = challenged.stage("gate", code=1).stderr.splitlines()[-1]
    for words in ("error: could not decide: the champion of HEAD", "dvc pull", "Rebuilding it failed, too: `dvc repro"):
        assert words in said
    assert worktrees(challenged) == 1


@pytest.mark.slow
def test_a_rebuild_can_be_interrupted(challenged: Project) -> None:
    """Ctrl-C in the middle of a rebuild leaves no worktree and no verdict."""
    challenged.path(CHAMPION).unlink()
    shutil.rmtree(challenged.path(".dvc/cache"))
    before = history(challenged)
    command = [sys.executable, "-m", "stages.gate"]
    # As in a terminal, also where the tests run in the background, with Ctrl-C ignored.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    run = subprocess.Popen(
        command, cwd=challenged.folder, env=challenged.env, stderr=subprocess.PIPE, text=True, preexec_fn=heed
    )
    assert run.stderr is not None
    while "Running stage" not in (line := run.stderr.readline()):
        assert line, "ended before it was interrupted"
    folder = challenged.run("git", "worktree", "list").stdout.splitlines()[1].split()[0]
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 1
    assert "Traceback" not in said
    assert (worktrees(challenged), Path(folder).parent.exists()) == (1, False)
    assert history(challenged) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (None, "metrics/evaluate.json at HEAD is missing"),
        (lambda content: content.pop("rmse"), "metrics/evaluate.json at HEAD: expected a number 'rmse', found None"),
        (lambda content: content.update(rmse=float("nan")), "expected a number 'rmse', found nan"),
        (lambda content: content.update(rmse=content["rmse"] * 1.00001), "on the same test split the champion scores"),
    ],
)
def test_what_the_champions_commit_must_record(challenged: Project, change: Any, said: str) -> None:
    """A metric that is missing at the champion's commit, is no number, or is not what the champion scores on the same
    split: the gate could not decide."""
    path = challenged.path(EVALUATION)
    ours = path.read_text()
    challenged.run("git", "checkout", "-q", "HEAD", "--", EVALUATION)
    if change is None:
        path.unlink()
    else:
        edit_json(path, change)
    challenged.run("git", "commit", "-q", "--amend", "-m", "spoilt", EVALUATION)
    path.write_text(ours)
    done = challenged.stage("gate", code=1)
    assert done.stderr.startswith("error: could not decide: ")
    assert said in done.stderr


def test_the_run_that_made_the_champion_is_held_to_its_record(challenged: Project) -> None:
    """Where HEAD has run the pipeline since, the recorded number that must be the champion's score is that of the
    commit that the champion's record names."""
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
    assert f"metrics/evaluate.json at {spoilt} records rmse" in challenged.stage("gate", code=1).stderr


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
    done = reproduced.stage("gate", code=1)
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not reproduced.path("metrics/history.jsonl").exists()


def test_an_unknown_revision_is_an_error(reproduced: Project) -> None:
    """A --champion that is no revision is exit 1 and named."""
    assert "'nowhere' is no revision" in reproduced.stage("gate", "--champion", "nowhere", code=1).stderr
