"""A lock on the project's folder: one command at a time changes the champion or repairs the workspace."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# DVC's own kind: a lock of the operating system, which ends with its process, also after a kill.
import zc.lockfile

from pipeline.contract.errors import PipelineError

PATH = Path(".dvc/tmp/registry.lock")


@contextmanager
def held(command: str, path: Path = PATH, patience: float = 0) -> Iterator[None]:
    """Hold the lock for `command`, waiting for it up to `patience` seconds.

    Raises PipelineError, which names the command that holds it, and where this is not the project's folder.
    """
    if not Path(".dvc").is_dir():
        raise PipelineError(f".dvc is missing in {Path.cwd()}: run this from the project's folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    while True:
        try:
            lock = zc.lockfile.LockFile(path, content_template=f"{command} (process {{pid}})")
            break
        except zc.lockfile.LockError:
            if time.monotonic() >= deadline:
                raise PipelineError(f"{_holder(path)} is at work in this folder: wait until it ends") from None
            time.sleep(0.1)
    try:
        yield
    finally:
        lock.close()


def _holder(path: Path) -> str:
    with path.open("rb", buffering=0) as file:
        file.seek(1)  # Windows lets nobody read the locked byte, the first one; it is a blank
        text = file.read(200).decode(errors="replace").strip()
    # DVC writes the number of its process and nothing else.
    return f"dvc (process {text})" if text.isdecimal() else text or "another command"
