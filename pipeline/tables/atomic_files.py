"""Atomic files: written beside, then renamed, so that a file is whole or absent."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.contract.errors import PipelineError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path for a file or a folder, which replaces `path` when the block ends without an error.

    The yielded path is unique, also among machines that share the disk. `.dvcignore` lists its suffix `.partial`, so
    what a killed process leaves behind changes no hash.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        yield partial
        if path.is_dir() or (partial.is_dir() and path.exists()):
            # A folder cannot replace a folder, so the old one is moved first; a kill between the two leaves neither.
            os.replace(path, old := partial.with_suffix(".old.partial"))
            os.replace(partial, path)
            remove(old)
        else:
            os.replace(partial, path)
    finally:
        remove(partial)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as partial:
        partial.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with `\\n` on every system."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> None:
    """Write JSON, indented for `git diff`; raises ValueError for NaN and infinity."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file that a stage wrote; raises PipelineError where it is missing or damaged."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise PipelineError(f"{path} is missing: run `dvc repro` to make it") from None
    except ValueError as error:
        raise PipelineError(f"{path} is not JSON ({error}): run `dvc repro --force` to write it again") from None


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the hash in hex of a file, or of a folder of files as DVC forms it; DVC records `md5`."""
    if path.is_dir():
        listed = [{algorithm: digest(file, algorithm), "relpath": file.name} for file in sorted(path.iterdir())]
        content = json.dumps(listed, sort_keys=True).encode()
        return hashlib.new(algorithm, content, usedforsecurity=False).hexdigest() + ".dir"
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
