"""The repair of what a killed run leaves behind, in a folder with a real dvc.lock."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import zc.lockfile

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.registry import repair as repairing
from pipeline.registry.repair import repair
from tests.conftest import ROOT

PARTIAL = Path("models/model.onnx.7.partial")


@pytest.fixture(autouse=True)
def good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The lock of a project that is the current folder, with a half-written file."""
    monkeypatch.chdir(tmp_path)
    Path(".dvc/tmp").mkdir(parents=True)
    PARTIAL.parent.mkdir()
    PARTIAL.write_bytes(b"half")
    shutil.copy(ROOT / "dvc.lock", paths.LOCK)
    return paths.LOCK.read_bytes()


def cut_after(text: bytes) -> Callable[[bytes], bytes]:
    """Return a damage: a kill cuts the lock after the last of these bytes."""
    return lambda whole: whole[: whole.rindex(text) + len(text)]


DAMAGES = {
    "empty": lambda whole: b"",
    "inside a key": cut_after(b"    cm"),
    "before a value": cut_after(b"hash:"),
    "before a value, at the line's end": lambda whole: cut_after(b"hash:")(whole) + b"\n",
    "inside a number": cut_after(b"size: 1"),
    "binary": lambda whole: b"\0\0\0",
    "no text": lambda whole: b"\xff\xfe",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_lock_is_brought_back(good: bytes, damage: Callable[[bytes], bytes]) -> None:
    """A dvc.lock that DVC would refuse, or that ends inside of a line, is replaced by the last good one."""
    assert repair() == ["removed 1 half-written files of a killed run"]
    paths.LOCK.write_bytes(damage(good))
    (said,) = repair()
    assert "brought back the last good one" in said
    assert paths.LOCK.read_bytes() == good
    assert repair() == []


def test_without_a_good_copy_the_last_commit_has_one(good: bytes) -> None:
    """A damaged lock comes from the last commit where there is no good copy, and is removed where that has none."""
    git = ["git", "-c", "user.name=tests", "-c", "user.email=tests"]
    paths.LOCK.write_bytes(b"")
    assert "removed it, all stages run again" in repair()[0]
    assert not paths.LOCK.exists()
    paths.LOCK.write_bytes(good)
    for command in (["init", "-q"], ["add", "dvc.lock"], ["commit", "-q", "-m", "a lock"]):
        subprocess.run([*git, *command], check=True)
    paths.LOCK.write_bytes(b"")
    assert "brought back the one of the last commit" in repair()[0]
    assert paths.LOCK.read_bytes() == good


def test_a_damaged_note_of_what_runs_is_removed() -> None:
    """DVC's note of the stages that run is removed where it was cut off."""
    repairing.STAGE_LOCK.write_bytes(b"{")
    assert "rwlock was damaged" in repair()[0]
    assert not repairing.STAGE_LOCK.exists()


def test_a_run_at_work_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a DVC command runs, in a stage or between two, repair names it, fails and removes nothing; a stage of a
    process that is gone is no run."""
    monkeypatch.setattr(repairing, "PATIENCE", 0)
    held = zc.lockfile.LockFile(repairing.DVC_LOCK)
    with pytest.raises(PipelineError, match=rf"dvc \(process {os.getpid()}\) is at work in this folder"):
        repair()
    held.close()
    run = {"pid": os.getpid(), "cmd": "dvc repro"}
    for note in ({"write": {"models": run}, "read": {}}, {"write": {}, "read": {"models": [run]}}):
        repairing.STAGE_LOCK.write_text(json.dumps(note))
        with pytest.raises(PipelineError, match=rf"`dvc repro` \(process {os.getpid()}\) is at work in this folder"):
            repair()
    assert PARTIAL.exists()
    gone = subprocess.Popen(["true"])
    gone.wait()
    repairing.STAGE_LOCK.write_text(json.dumps({"write": {"models": {"pid": gone.pid, "cmd": "dvc repro"}}}))
    assert repair() == ["removed 1 half-written files of a killed run"]
