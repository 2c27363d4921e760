"""DVC's records of model files, read from their YAML: a server does without DVC."""

import hashlib
import os
from pathlib import Path
from typing import Any

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.yaml_config import read_mapping


def md5(content: bytes) -> str:
    """Return the hash in hex that DVC records for a file of this content; it finds damage, not forgery."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def md5_of(path: Path) -> str | None:
    """Return the md5 that DVC recorded for a file, in the `.dvc` file beside it or in dvc.lock, else None."""
    beside = path.with_name(f"{path.name}.dvc")
    if beside.is_file():
        return _recorded(read_mapping(beside), "outs", path.name, beside)
    found = (_recorded(stage, "outs", project_name(path), paths.LOCK) for stage in _stages().values())
    return next(filter(None, found), None)


def md5_of_input(stage: str, path: Path) -> str | None:
    """Return the md5 that a file had when a stage last read it, by dvc.lock; None without a record."""
    return _recorded(_stages().get(stage), "deps", path.as_posix(), paths.LOCK)


def project_name(path: Path) -> str:
    """Return the path as DVC writes it, relative to the project; links stay, for DVC's cache may use them."""
    try:
        return Path(os.path.relpath(path)).as_posix()
    except ValueError:  # another drive of Windows
        return path.as_posix()


def champion() -> dict[str, str]:
    """Return `md5` of the promoted model and, where they are recorded, `version` and `revision`.

    Before the first promotion the result is empty.
    """
    if not paths.CHAMPION_RECORD.is_file():
        return {}
    content = read_mapping(paths.CHAMPION_RECORD)
    meta = content.get("meta")
    md5_recorded = _recorded(content, "outs", paths.CHAMPION.name, paths.CHAMPION_RECORD)
    found = {**(meta if isinstance(meta, dict) else {}), "md5": md5_recorded}
    return {key: str(found[key]) for key in ("md5", "version", "revision") if found.get(key) is not None}


def _stages() -> dict[str, Any]:
    """Return the stages in dvc.lock; an image has no such file."""
    stages = read_mapping(paths.LOCK).get("stages") if paths.LOCK.is_file() else None
    return stages if isinstance(stages, dict) else {}


def _recorded(record: Any, key: str, name: str, where: Path) -> str | None:
    """Return the md5 of the file `name` in the list `key` of a stage or a `.dvc` file."""
    files = record.get(key) if isinstance(record, dict) else None
    for file in files if isinstance(files, list) else ():
        if isinstance(file, dict) and file.get("path") == name:
            if not isinstance(file.get("md5"), str):
                raise PipelineError(f"{where}: expected an md5 for {name}, found {file!r}; write it again with DVC")
            return file["md5"]
    return None
