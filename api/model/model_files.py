"""The files that decide which model is served, and whether they have changed."""

import os
from pathlib import Path

from api.model.loader import Serving
from pipeline.contract import paths, signature

Stat = tuple[int, int, int] | None  # time of the last change, size, number; None where there is no file
Seen = tuple[Path, Stat, Stat, Stat]


def seen(serving: Serving) -> Seen:
    """Return a value that changes when another file is to be served, or when it, its DVC record or its signature is
    written.

    Raises OSError where it cannot be told.
    """
    file = path(serving)
    record = _stat(file.with_name(f"{file.name}.dvc"))
    # dvc.lock counts only without a record beside the model: it changes with every stage that runs.
    return file, _stat(file), record or _stat(paths.LOCK), _stat(signature.path_of(file))


def path(serving: Serving) -> Path:
    """Return the file to serve. A champion that is gone (DVC removes it for a moment) stays the one to serve."""
    served = serving.served.path if serving.served else None
    if serving.settings.model_path:
        return serving.settings.model_path
    if served == paths.CHAMPION or paths.CHAMPION.is_file():
        return paths.CHAMPION
    return paths.MODEL


def _stat(file: Path) -> Stat:
    try:
        found = os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
