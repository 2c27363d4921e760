"""Live rows that are kept elsewhere: LIVE_URL is another folder or any place that fsspec knows, a bucket for one.

`python -m api.export` puts the logged predictions there; this command brings them to data/live, for the drift check
reads that folder alone.

    LIVE_URL=s3://BUCKET/live python -m stages.remote
"""

import os
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from stages import errors, files
from stages.errors import PipelineError
from stages.monitoring.live import FOLDER

NAME = "predictions.parquet"


def url() -> str:
    """LIVE_URL, or the project's own folder."""
    return os.environ.get("LIVE_URL") or FOLDER.as_posix()


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
    target = FOLDER / NAME
    if isinstance(system, LocalFileSystem) and Path(path) == target.resolve():
        return
    try:
        content = system.cat_file(path)
    except FileNotFoundError:
        raise PipelineError(
            f"LIVE_URL: there is no {NAME} at {url}: run `python -m api.export` where the log is"
        ) from None
    files.write_bytes(target, content)
    print(f"{target.as_posix()}: {len(content):,} bytes from {url}")


if __name__ == "__main__":
    errors.run(lambda: fetch(url()))
