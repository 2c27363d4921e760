"""A run can be killed at any moment: the next one ends where an undisturbed one does, with nothing to mend by hand."""

import contextlib
import os
import random
import signal
import subprocess
import sys

import pytest

from tests.conftest import Project

RUN = "python -m stages.mend && dvc repro --force --no-run-cache"


@pytest.mark.parametrize("damage", [b"", b"schema: '2.0'\nstages:\n  clean:\n    cm", b"\0\0\0"])
def test_a_damaged_lock_is_brought_back(reproduced: Project, damage: bytes) -> None:
    """A dvc.lock that DVC would refuse is replaced by the last good one, with a word; then nothing needs to run."""
    lock = reproduced.path("dvc.lock")
    good = lock.read_bytes()
    reproduced.stage("mend")
    lock.write_bytes(damage)
    assert "brought back the last good one" in reproduced.stage("mend").stdout
    assert lock.read_bytes() == good
    reproduced.path(".dvc/tmp/dvc.lock.good").unlink()
    lock.write_bytes(damage)
    assert "brought back the one of the last commit" in reproduced.stage("mend").stdout
    assert lock.read_bytes() == good
    reproduced.path(".dvc/tmp/rwlock").write_bytes(b"{")
    reproduced.path("models/model.onnx.7.partial").write_bytes(b"half")
    said = reproduced.stage("mend").stdout
    assert "rwlock was damaged" in said
    assert "removed 1 half-written files" in said
    assert "Running stage" not in reproduced.dvc("repro").stdout


@pytest.mark.slow
def test_twenty_kills_change_nothing(reproduced: Project) -> None:
    """Killed at 20 random moments (SIGKILL to the whole process group) and started again, the run ends in the same
    dvc.lock, and no half-written file is left."""
    expected = reproduced.path("dvc.lock").read_bytes()
    moments = random.Random(20)  # noqa: S311 - a seed, no secret
    for _ in range(20):
        run = subprocess.Popen(
            ["bash", "-c", RUN],
            cwd=reproduced.folder,
            env=reproduced.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(moments.uniform(0.2, 16))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    reproduced.run("bash", "-c", "python -m stages.mend && dvc repro")
    assert reproduced.path("dvc.lock").read_bytes() == expected
    assert not list(reproduced.folder.rglob("*.partial"))
    assert reproduced.run(sys.executable, "-m", "dvc", "status").stdout == "Data and pipelines are up to date.\n"
