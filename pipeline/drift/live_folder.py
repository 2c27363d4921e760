"""The folder of live rows that the server's export writes and drift reads: data/live, or LIVE_URL, such as a bucket."""

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
    """Return LIVE_URL, or data/live."""
    return os.environ.get("LIVE_URL") or LIVE.as_posix()


def place(url: str) -> tuple[Any, str]:
    """Return the file system behind a URL, and the path of the exported file in it. Raises PipelineError where fsspec
    does not know the URL, or the package for it is missing."""
    try:
        system, folder = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise PipelineError(f"LIVE_URL: expected a folder or a URL that fsspec knows, found {url!r}: {error}") from None
    return system, f"{folder.rstrip('/')}/{NAME}"


def fetch(url: str) -> None:
    """Copy the exported file at `url` to data/live, whole or not at all. Raises PipelineError where there is none."""
    system, path = place(url)
    target = LIVE / NAME
    if isinstance(system, LocalFileSystem) and Path(path) == target.resolve():
        return
    try:
        content = system.cat_file(path)
    except FileNotFoundError:
        export = "run `python -m api.commands.export` where the log is"
        raise PipelineError(f"LIVE_URL: there is no {NAME} at {url}: {export}") from None
    atomic_files.write_bytes(target, content)
    print(f"{target.as_posix()}: {len(content):,} bytes from {url}")
