"""The gate where the champion's file is gone: from DVC's cache, from a remote, or made again by its own commit."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.conftest import Project
from tests.ops.gating import CHAMPION, gate, history


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
    done = challenged.ops("gate")
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
    project.ops("gate")
    project.ops("registry", "promote")
    project.ops("registry", "rollback")
    lose_cache(project)


@pytest.mark.slow
@pytest.mark.parametrize("lose", [lose_cache, damage, roll_back_and_lose_cache])
def test_a_lost_champion_is_rebuilt(challenged: Project, lose: Callable[[Project], object]) -> None:
    """The champion's own commit makes it again in a temporary worktree where no copy is usable; the gate says what it
    does and whether the bytes are the recorded ones, and nothing is left behind."""
    lose(challenged)
    challenged.path(CHAMPION).unlink()
    done = challenged.ops("gate")
    assert done.stdout.splitlines()[0].endswith("| promote")
    assert "rebuilding models/model.onnx of" in done.stderr
    assert "as recorded" in done.stderr
    assert worktrees(challenged) == 1


@pytest.mark.slow
def test_a_champion_rebuilt_to_other_bytes_is_judged_all_the_same(challenged: Project) -> None:
    """The verdict says that the rebuilt file is not the recorded one (another processor), is about the recorded
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
    assert "housing@v1.1.0" in challenged.ops("registry", "promote").stdout


@pytest.mark.slow
def test_a_champion_that_cannot_be_rebuilt_is_an_error(challenged: Project) -> None:
    """The gate could not decide where that commit's pipeline fails, too: exit 1, both reasons, and the way out."""
    good = challenged.path("params.yaml").read_text()
    challenged.path("params.yaml").write_text("train: {}\n")
    challenged.run("git", "commit", "-q", "--amend", "-m", "broken", "params.yaml")
    challenged.path("params.yaml").write_text(good)
    challenged.path(CHAMPION).unlink()
    shutil.rmtree(challenged.path(".dvc/cache"))
    said = challenged.ops("gate", code=1).stderr.splitlines()[-1]
    for words in ("error: could not decide: the champion of HEAD", "dvc pull", "Rebuilding it failed, too: `dvc repro"):
        assert words in said
    assert worktrees(challenged) == 1


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_rebuild_can_be_interrupted(challenged: Project, stop: signal.Signals) -> None:
    """Ctrl-C or SIGTERM in the middle of a rebuild leaves no worktree and no verdict."""
    challenged.path(CHAMPION).unlink()
    shutil.rmtree(challenged.path(".dvc/cache"))
    before = history(challenged)
    command = [sys.executable, "-m", "ops.gate"]
    # As in a terminal, also where the tests run in the background, with Ctrl-C ignored.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    run = subprocess.Popen(
        command, cwd=challenged.folder, env=challenged.env, stderr=subprocess.PIPE, text=True, preexec_fn=heed
    )
    assert run.stderr is not None
    while "Running stage" not in (line := run.stderr.readline()):
        assert line, "ended before it was interrupted"
    folder = challenged.run("git", "worktree", "list").stdout.splitlines()[1].split()[0]
    run.send_signal(stop)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 1
    assert "Traceback" not in said
    assert (worktrees(challenged), Path(folder).parent.exists()) == (1, False)
    assert history(challenged) == before
