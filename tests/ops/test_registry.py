"""promote, rollback, keep and fetch through their real commands, in a project with a directory as DVC remote."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pipeline.contract import dvc_records
from pipeline.registry import lock
from tests.conftest import WEAK, Project

CHAMPION = "models/champion.onnx"
RECORD = "models/champion.onnx.dvc"
MODEL = "models/model.onnx"
HISTORY = "metrics/history.jsonl"


def md5(project: Project, name: str) -> str:
    return dvc_records.md5(project.path(name).read_bytes())


def record(project: Project) -> dict:
    return yaml.safe_load(project.path(RECORD).read_text())


def git(project: Project, *arguments: str) -> str:
    return project.run("git", *arguments).stdout.strip()


def changes(project: Project) -> list[tuple[str, str]]:
    """Each change of the champion that the history tells: what and which version."""
    lines = [json.loads(line) for line in project.path(HISTORY).read_text().splitlines()]
    return [(key, e["version"]) for e in lines for key in ("promoted", "rolled_back") if key in e]


def weaken(project: Project) -> None:
    """A model that the gate keeps out."""
    project.edit_params(lambda p: p["train"].update(families=WEAK))
    project.dvc("repro", "evaluate", "provenance", "drift")


def check_consistent(project: Project) -> None:
    """No champion contradicts its record, and Git and DVC can read all there is."""
    if project.path(RECORD).exists():
        out = record(project)["outs"][0]
        assert not project.path(CHAMPION).exists() or md5(project, CHAMPION) == out["md5"]
    git(project, "fsck", "--connectivity-only")
    assert git(project, "symbolic-ref", "HEAD") == "refs/heads/main"


@pytest.fixture(scope="session")
def _released(build: Callable, _reproduced: Project) -> Project:
    def release(folder: Path) -> None:
        made = _reproduced.copy(folder)
        made.dvc("remote", "add", "--quiet", "--default", "store", str(folder.parent / "store"))
        made.commit("a remote")
        made.ops("gate")
        made.ops("registry", "promote")
        weaken(made)
        made.ops("gate", code=3)
        assert "is 'keep', expected 'promote'" in made.ops("registry", "promote", code=1).stderr
        made.path("README.md").write_text("mine\n")
        made.path("staged.txt").write_text("mine\n")
        made.run("git", "add", "staged.txt")
        made.ops("registry", "promote", "--force")
        made.dvc("push", "--quiet", "--all-tags")

    return build("released", release)


@pytest.fixture
def released(_released: Project, tmp_path: Path) -> Project:
    """v1.0.0 and, with force, v1.1.0; both in the remote. README.md and staged.txt are the user's changes."""
    return _released.copy(tmp_path / "project")


def test_promote_commits_what_belongs_to_the_version_and_nothing_else(released: Project) -> None:
    """The version's commit has the record and the history, the one before it what made the model; the user's other
    changes, staged or not, stay as they are, and DVC finds nothing to do."""
    assert git(released, "status", "--short") == "M README.md\nA  staged.txt"
    assert git(released, "show", "--format=", "--name-only", "housing@v1.1.0^{commit}").split() == [HISTORY, RECORD]
    meta = record(released)["meta"]
    assert meta == {"revision": git(released, "rev-parse", "HEAD~1"), "version": "v1.1.0"}
    assert md5(released, MODEL) in git(released, "show", f"{meta['revision']}:dvc.lock")
    assert "alpha" in git(released, "show", "--format=", meta["revision"], "--", "params.yaml")
    assert changes(released) == [("promoted", "v1.0.0"), ("promoted", "v1.1.0")]
    assert git(released, "tag").split() == ["housing#prod#1", "housing#prod#2", "housing@v1.0.0", "housing@v1.1.0"]
    assert released.dvc("status").stdout == "Data and pipelines are up to date.\n"
    before = released.path(RECORD).read_bytes()
    released.dvc("add", "--quiet", CHAMPION)
    assert released.path(RECORD).read_bytes() == before


def test_promote_again_completes_what_is_missing_and_no_more(released: Project) -> None:
    """A second promote makes no commit, line or tag, but puts back a tag and a file that a kill kept away."""
    state = git(released, "rev-parse", "HEAD"), git(released, "tag"), released.path(HISTORY).read_bytes()
    git(released, "tag", "--delete", "housing@v1.1.0", "housing#prod#2")
    released.path(CHAMPION).unlink()
    assert released.ops("registry", "promote").stdout.startswith("promoted already: ")
    assert state == (git(released, "rev-parse", "HEAD"), git(released, "tag"), released.path(HISTORY).read_bytes())
    assert md5(released, CHAMPION) == md5(released, MODEL)


def test_promote_refuses_what_was_not_judged(reproduced: Project) -> None:
    """Other bytes than `dvc repro` made, and a verdict on another test split or against another champion, are
    refused."""
    reproduced.ops("gate")
    history = reproduced.path(HISTORY)
    verdict = json.loads(history.read_text())
    for change in ({"test": "0" * 64}, {"champion": "0" * 32}, {"challenger": "0" * 32}):
        history.write_text(json.dumps(verdict | change) + "\n")
        assert "is 'none', expected 'promote'" in reproduced.ops("registry", "promote", code=1).stderr
    history.write_text(json.dumps(verdict) + "\n")
    reproduced.path(MODEL).write_bytes(b"other bytes")
    assert "not in DVC's cache: evaluate, select" in reproduced.ops("registry", "promote", "--force", code=1).stderr
    assert not reproduced.path(RECORD).exists()


def forget_user(project: Project) -> None:
    project.env = {key: value for key, value in project.env.items() if not key.startswith("GIT_")}
    project.env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    project.run("git", "config", "user.useConfigOnly", "true")


def start_merge(project: Project) -> None:
    shutil.copyfile(project.path(".git/refs/heads/main"), project.path(".git/MERGE_HEAD"))


def test_promote_refuses_where_a_commit_cannot_be_made(released: Project) -> None:
    """On no branch, in a merge, without a user and beside another Git, promote and rollback say the way out and
    change nothing."""

    def refused(*said: str) -> None:
        before = released.path(RECORD).read_bytes(), released.path(HISTORY).read_bytes()
        for command in ("promote", "rollback"):
            done = released.ops("registry", command, code=1)
            assert all(words in done.stderr for words in said), done.stderr
            assert "Traceback" not in done.stderr
        assert before == (released.path(RECORD).read_bytes(), released.path(HISTORY).read_bytes())

    git(released, "checkout", "--quiet", "--detach")
    refused("HEAD is on no branch", "git switch")
    git(released, "checkout", "--quiet", "main")
    start_merge(released)
    refused("a merge is under way")
    released.path(".git/MERGE_HEAD").unlink()
    released.path(".git/index.lock").touch()
    refused("index.lock is there")
    released.path(".git/index.lock").unlink()
    forget_user(released)
    refused("git config user.name")


def test_a_champion_without_a_version_becomes_the_first(reproduced: Project) -> None:
    """Where the model is the champion already, but no version, promote makes it v1.0.0 without a verdict; before it
    there is nothing to return to."""
    shutil.copyfile(reproduced.path(MODEL), reproduced.path(CHAMPION))
    reproduced.dvc("add", "--quiet", CHAMPION)
    reproduced.commit("a champion of old")
    assert "there is no version before this one" in reproduced.ops("registry", "rollback", code=1).stderr
    assert "housing@v1.0.0" in reproduced.ops("registry", "promote").stdout
    assert record(reproduced)["meta"]["version"] == "v1.0.0"
    assert "there is no version before this one" in reproduced.ops("registry", "rollback", code=1).stderr


def test_rollback_returns_to_the_version_before(released: Project) -> None:
    """The file, its record, the history and the stage go back, with one commit; from DVC's remote where the cache is
    empty. A second rollback has nothing before it, `--to` goes where it is told, and the next version is a new one."""
    first = git(released, "show", f"housing@v1.0.0:{RECORD}")
    shutil.move(released.path(".dvc/cache"), released.path(".dvc/tmp/aside"))
    assert "was v1.1.0" in released.ops("registry", "rollback").stdout
    assert released.path(RECORD).read_text().strip() == first
    check_consistent(released)
    assert git(released, "show", "--format=", "--name-only", "HEAD").split() == [HISTORY, RECORD]
    shutil.copytree(released.path(".dvc/tmp/aside"), released.path(".dvc/cache"), dirs_exist_ok=True)
    assert "there is no version before this one" in released.ops("registry", "rollback", code=1).stderr
    assert "no version v9.0.0" in released.ops("registry", "rollback", "--to", "v9.0.0", code=1).stderr
    released.ops("registry", "rollback", "--to", "housing@v1.1.0")
    for production in ("v1.1.0", "prod"):
        assert "in production already" in released.ops("registry", "rollback", "--to", production).stdout
    git(released, "tag", "--delete", "housing#prod#4")
    assert "housing@v1.0.0 again" in released.ops("registry", "rollback", "--to", "v1.0.0").stdout
    released.ops("registry", "promote", "--force")
    assert "was v1.2.0" in released.ops("registry", "rollback").stdout
    told = ["promoted v1.0.0", "promoted v1.1.0", "rolled_back v1.0.0", "rolled_back v1.1.0", "rolled_back v1.0.0"]
    assert [" ".join(change) for change in changes(released)] == [*told, "promoted v1.2.0", "rolled_back v1.0.0"]


def test_rollback_to_a_file_that_is_nowhere_changes_nothing(released: Project) -> None:
    """Without the older file in cache and remote, rollback is exit 1 with the way out, and the champion stays."""
    shutil.rmtree(released.path(".dvc/cache"))
    released.dvc("remote", "remove", "store")
    before = (
        git(released, "rev-parse", "HEAD"),
        released.path(CHAMPION).read_bytes(),
        released.path(HISTORY).read_text(),
    )
    assert "dvc pull" in released.ops("registry", "rollback", code=1).stderr
    after = git(released, "rev-parse", "HEAD"), released.path(CHAMPION).read_bytes(), released.path(HISTORY).read_text()
    assert after == before


def test_a_clone_gets_versions_by_name(released: Project, tmp_path: Path) -> None:
    """In a clone, `dvc artifacts get` brings a version and the stage, `fetch` also any revision, with the line that
    starts the server on it; fetch never writes what production serves."""
    released.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone", released.python)
    clone.dvc("artifacts", "get", ".", "housing", "--rev", "v1.0.0", "--out", "first.onnx")
    clone.dvc("artifacts", "get", ".", "housing", "--stage", "prod", "--out", "prod.onnx")
    first, prod = md5(clone, "first.onnx"), md5(clone, "prod.onnx")
    assert prod == md5(released, CHAMPION) != first
    for name, expected in {"v1.0.0": first, "housing@v1.1.0": prod, "prod": prod, "HEAD~2": first}.items():
        said = clone.ops("registry", "fetch", "--rev", name).stdout.splitlines()
        assert said[-1] == "MODEL_PATH=models/fetched.onnx"
        assert md5(clone, "models/fetched.onnx") == expected, name
    assert "no revision" in clone.ops("registry", "fetch", "--rev", "v7", code=1).stderr
    assert "has no champion" in clone.ops("registry", "fetch", "--rev", "HEAD~4", code=1).stderr
    assert "choose another --out" in clone.ops("registry", "fetch", "--rev", "v1.0.0", "--out", CHAMPION, code=1).stderr
    assert git(clone, "status", "--short") == "?? first.onnx\n?? prod.onnx"
    assert "was v1.1.0" in clone.ops("registry", "rollback").stdout
    assert md5(clone, CHAMPION) == first


def test_a_version_older_than_the_remote_is_found_there(promoted: Project, tmp_path: Path) -> None:
    """A remote that was added after a version was promoted serves it to a clone: to `fetch` and rollback as it is, to
    `dvc artifacts get` with `--remote`."""
    promoted.dvc("remote", "add", "--quiet", "--default", "store", str(tmp_path / "store"))
    promoted.commit("a remote")
    promoted.dvc("push", "--quiet")
    promoted.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone", promoted.python)
    clone.ops("registry", "fetch", "--rev", "v1.0.0")
    assert md5(clone, "models/fetched.onnx") == md5(promoted, CHAMPION)
    named = ("--rev", "v1.0.0", "--remote", "store", "--out", "first.onnx")
    clone.dvc("artifacts", "get", ".", "housing", *named)
    assert md5(clone, "first.onnx") == md5(promoted, CHAMPION)


@pytest.mark.slow
def test_a_kept_challenger_is_an_experiment(promoted: Project) -> None:
    """After `keep`, retrain leaves the model as a DVC experiment named after the verdict, without a commit on the
    branch; it can be applied and promoted later."""
    assert "nothing to keep" in promoted.ops("registry", "keep").stdout
    head = git(promoted, "rev-parse", "HEAD")
    promoted.edit_params(lambda p: p["train"].update(families=WEAK))
    promoted.commit("weaker")
    said = promoted.ops("retrain", "--force").stdout
    weak = md5(promoted, MODEL)
    name = f"keep-{weak[:8]}"
    assert f"kept: {MODEL} is the DVC experiment {name}" in said
    assert git(promoted, "rev-parse", "HEAD~1") == head
    assert promoted.dvc("exp", "list", "--name-only").stdout.split() == [name]
    assert name in promoted.dvc("exp", "show", "--csv").stdout
    promoted.run("git", "restore", "--staged", "--worktree", ".")
    promoted.dvc("checkout", "--quiet")
    assert md5(promoted, MODEL) != weak
    promoted.dvc("exp", "apply", name)
    assert md5(promoted, MODEL) == weak
    assert "housing@v1.1.0" in promoted.ops("registry", "promote", "--force").stdout
    assert json.loads(promoted.path(HISTORY).read_text().splitlines()[-2])["verdict"] == "keep"


def test_one_at_a_time(released: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one works, promote, rollback, retrain and repair fail and name the command that holds the lock."""
    monkeypatch.chdir(released.folder)
    with lock.held("retrain"):
        for command in (("registry", "promote"), ("registry", "rollback"), ("retrain", "--force"), ("repair",)):
            said = released.ops(*command, code=1).stderr
            assert f"retrain (process {os.getpid()}) is at work in this folder" in said
    released.ops("registry", "promote")


# Kills the process at its N-th act on files or other programs, and is the command otherwise.
KILLED = """
import os, runpy, signal, sys
left = int(sys.argv.pop(1))
def count(event, arguments):
    global left
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if writes or event in ("os.rename", "os.remove", "subprocess.Popen"):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
sys.argv[0] = "ops.registry"
runpy.run_module("ops.registry", run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_killed_at_any_step_it_is_completed_by_running_it_again(
    released: Project, tmp_path: Path, command: str
) -> None:
    """SIGKILL before each N-th act on a file or another program: the champion never contradicts its record, and the
    same command then ends as an undisturbed one does, with one line, one commit and one tag each."""
    start = released.copy(tmp_path / "start")
    if command == "promote":
        start.ops("registry", "rollback")
        start.ops("gate", code=3)
        lines = start.path(HISTORY).read_text().splitlines()
        forged = json.loads(lines[-1]) | {"verdict": "promote"}
        start.path(HISTORY).write_text("\n".join([*lines[:-1], json.dumps(forged)]) + "\n")
    expected = start.copy(tmp_path / "undisturbed")
    expected.ops("registry", command)
    kills = 0
    for step in range(0, 200, 4):
        shutil.rmtree(tmp_path / "killed", ignore_errors=True)
        project = start.copy(tmp_path / "killed")
        done = project.run(sys.executable, "-c", KILLED, str(step), command, code=(0, -9))
        check_consistent(project)
        if done.returncode == 0:
            break
        kills += 1
        project.ops("registry", command)
        check_consistent(project)
        assert changes(project) == changes(expected), step
        assert git(project, "tag") == git(expected, "tag"), step
        assert git(project, "log", "--format=%s") == git(expected, "log", "--format=%s"), step
        assert record(project)["outs"] == record(expected)["outs"]
        assert md5(project, CHAMPION) == md5(expected, CHAMPION)
    assert kills >= 7
