"""promote, rollback and keep through their real commands, in a project with a directory as DVC remote."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from pipeline.registry import lock
from tests.conftest import WEAK, Project
from tests.ops.gating import CHAMPION, MODEL, history
from tests.ops.releasing import HISTORY, RECORD, changes, check_consistent, git, md5, record, state


def test_promote_commits_what_belongs_to_the_version_and_nothing_else(released: Project) -> None:
    """The version's commit has the record and the history, the one before it what made the model; the user's other
    changes, staged or not, stay as they are, and DVC finds nothing to do."""
    assert git(released, "status", "--short") == "M README.md\nA  staged.txt"
    assert git(released, "show", "--format=", "--name-only", "housing@v1.1.0^{commit}").split() == [HISTORY, RECORD]
    meta = record(released)["meta"]
    assert meta == {"revision": git(released, "rev-parse", "HEAD~1"), "version": "v1.1.0"}
    assert md5(released, MODEL) in git(released, "show", f"{meta['revision']}:dvc.lock")
    assert "alpha" in git(released, "show", "--format=", meta["revision"], "--", "params.yaml")
    assert changes(released) == ["promoted v1.0.0", "promoted v1.1.0"]
    assert git(released, "tag").split() == ["housing#prod#1", "housing#prod#2", "housing@v1.0.0", "housing@v1.1.0"]
    assert released.dvc("status").stdout == "Data and pipelines are up to date.\n"
    before = released.path(RECORD).read_bytes()
    released.dvc("add", "--quiet", CHAMPION)
    assert released.path(RECORD).read_bytes() == before


def test_promote_again_completes_what_is_missing_and_no_more(released: Project) -> None:
    """A second promote makes no commit, line or tag, but puts back a tag and a file that a kill kept away."""
    before = state(released)
    git(released, "tag", "--delete", "housing@v1.1.0", "housing#prod#2")
    released.path(CHAMPION).unlink()
    assert released.ops("registry", "promote").stdout.startswith("promoted already: ")
    assert state(released) == before
    assert md5(released, CHAMPION) == md5(released, MODEL)


def test_promote_refuses_what_was_not_judged(reproduced: Project) -> None:
    """Other bytes than `dvc repro` made, and a verdict on another test split or against another champion, are
    refused."""
    reproduced.ops("gate")
    (verdict,) = history(reproduced)
    for change in ({"test": "0" * 64}, {"champion": "0" * 32}, {"challenger": "0" * 32}):
        reproduced.path(HISTORY).write_text(json.dumps(verdict | change) + "\n")
        assert "is 'none', expected 'promote'" in reproduced.ops("registry", "promote", code=1).stderr
    reproduced.path(HISTORY).write_text(json.dumps(verdict) + "\n")
    reproduced.path(MODEL).write_bytes(b"other bytes")
    assert "not in DVC's cache: evaluate, select" in reproduced.ops("registry", "promote", "--force", code=1).stderr
    assert not reproduced.path(RECORD).exists()


def test_promote_refuses_where_a_commit_cannot_be_made(released: Project) -> None:
    """On no branch, in a merge, without a user and beside another Git, promote and rollback say the way out and
    change nothing."""

    def refused(*said: str) -> None:
        before = state(released)
        for command in ("promote", "rollback"):
            done = released.ops("registry", command, code=1)
            assert all(words in done.stderr for words in said), done.stderr
            assert "Traceback" not in done.stderr
        assert state(released) == before

    git(released, "checkout", "--quiet", "--detach")
    refused("HEAD is on no branch", "git switch")
    git(released, "checkout", "--quiet", "main")
    shutil.copyfile(released.path(".git/refs/heads/main"), released.path(".git/MERGE_HEAD"))
    refused("a merge is under way")
    released.path(".git/MERGE_HEAD").unlink()
    released.path(".git/index.lock").touch()
    refused("index.lock is there")
    released.path(".git/index.lock").unlink()
    git(released, "config", "user.useConfigOnly", "true")
    released.env = {key: value for key, value in released.env.items() if not key.startswith("GIT_")}
    released.env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    refused("git config user.name")


def test_a_champion_without_a_version_becomes_the_first(reproduced: Project) -> None:
    """A model that is the champion already, but no version, becomes v1.0.0 by promote without a verdict; rollback has
    nothing to return to."""
    shutil.copyfile(reproduced.path(MODEL), reproduced.path(CHAMPION))
    reproduced.dvc("add", "--quiet", CHAMPION)
    reproduced.commit("a champion of old")
    assert "there is no version before this one" in reproduced.ops("registry", "rollback", code=1).stderr
    assert "housing@v1.0.0" in reproduced.ops("registry", "promote").stdout
    assert record(reproduced)["meta"]["version"] == "v1.0.0"
    assert "there is no version before this one" in reproduced.ops("registry", "rollback", code=1).stderr


def test_a_clone_without_tags_gives_no_version_twice(challenged: Project) -> None:
    """Where the tags of earlier versions were not fetched, the next version follows those of the committed history."""
    git(challenged, "tag", "--delete", *git(challenged, "tag").split())
    assert "housing@v1.1.0" in challenged.ops("registry", "promote", "--force").stdout
    assert changes(challenged) == ["promoted v1.0.0", "promoted v1.1.0"]


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
    assert changes(released) == [*told, "promoted v1.2.0", "rolled_back v1.0.0"]


def test_rollback_to_a_file_that_is_nowhere_changes_nothing(released: Project) -> None:
    """Without the older file in cache and remote, rollback is exit 1 with the way out, and the champion stays."""
    shutil.rmtree(released.path(".dvc/cache"))
    released.dvc("remote", "remove", "store")
    before = state(released)
    assert "dvc pull" in released.ops("registry", "rollback", code=1).stderr
    assert state(released) == before
    assert md5(released, CHAMPION) == md5(released, MODEL)


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
    assert history(promoted)[-2]["verdict"] == "keep"


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
        *lines, last = history(start)
        forged = [*lines, last | {"verdict": "promote"}]
        start.path(HISTORY).write_text("".join(json.dumps(line) + "\n" for line in forged))
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
