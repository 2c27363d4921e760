"""One promote, rollback or retrain at a time in a workspace."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# DVC's own: an advisory lock of the system, on Windows too, that ends with the process, however that ends.
import zc.lockfile

from pipeline.contract.errors import PipelineError

PATH = Path(".dvc/tmp/registry.lock")


@contextmanager
def held(command: str) -> Iterator[None]:
    """Hold the lock. Raises PipelineError that says who else holds it."""
    PATH.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = zc.lockfile.LockFile(PATH, content_template=f"{command} (process {{pid}})")
    except zc.lockfile.LockError:
        raise PipelineError(f"a {_holder()} is at work in this folder: wait until it is done") from None
    try:
        yield
    finally:
        lock.close()


def _holder() -> str:
    with PATH.open("rb", buffering=0) as file:
        file.seek(1)  # Windows lets nobody read the locked byte, the first one; it is a blank
        return file.read(200).decode(errors="replace").strip() or "promote, rollback or retrain"
