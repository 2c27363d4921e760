"""What workers of Dask read many times: it lies in a folder that they see, not in the memory of one of them, with which
it would be lost when that one dies."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib


@contextmanager
def lent(content: Any, folder: Path) -> Iterator[Path]:
    """A file that the workers read `content` from; gone after the block. The suffix `.partial` is in `.dvcignore`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, suffix=".partial") as name:
        path = Path(name).resolve() / "content.joblib"
        joblib.dump(content, path)
        yield path


@lru_cache(maxsize=1)
def borrowed(path: Path) -> Any:
    """What was `lent`, read once a worker."""
    return joblib.load(path)


class Lendable:
    """`content`, of which another process is told no more than the `path` that it was lent at, if there is one. (joblib
    itself would put a large argument of a task into the memory of one worker.)"""

    def __init__(self, content: Any, path: Path | None = None) -> None:
        self.content, self.path = content, path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Lendable, (self.content,)) if self.path is None else (_borrow, (self.path,))


@contextmanager
def lendable(content: Any, folder: Path | None) -> Iterator[Lendable]:
    """`folder`: where other processes find it; None where there are none."""
    if folder is None:
        yield Lendable(content)
        return
    with lent(content, folder) as path:
        yield Lendable(content, path)


def _borrow(path: Path) -> Lendable:
    return Lendable(borrowed(path), path)
