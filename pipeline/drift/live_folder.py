"""The folder of live rows that the server's export writes and drift reads: data/live, or LIVE_URL (a bucket, say)."""

import os
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from pipeline.contract.errors import PipelineError
from pipeline.contract.paths import LIVE
from pipeline.tables import atomic_files

NAME = "predictions.parquet"


def url() -> str:
    """The folder of live rows: LIVE_URL, or data/live."""
    return os.environ.get("LIVE_URL") or LIVE.as_posix()


def place(url: str) -> tuple[Any, str]:
    """The file system behind a URL, and the path of the exported file in it.

    Raises PipelineError where fsspec does not know such a URL, or its package is missing.
    """
    try:
        system, folder = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise PipelineError(f"LIVE_URL: expected a folder or a URL that fsspec knows, found {url!r}: {error}") from None
    return system, f"{folder.rstrip('/')}/{NAME}"


def fetch(url: str) -> None:
    """Bring the exported file at `url` to data/live, whole or not at all.

    Raises PipelineError where there is none.
    """
    system, path = place(url)
    target = LIVE / NAME
    if isinstance(system, LocalFileSystem) and Path(path) == target.resolve():
        return
    try:
        content = system.cat_file(path)
    except FileNotFoundError:
        raise PipelineError(
            f"LIVE_URL: there is no {NAME} at {url}: run `python -m api.commands.export` where the log is"
        ) from None
    atomic_files.write_bytes(target, content)
    print(f"{target.as_posix()}: {len(content):,} bytes from {url}")
