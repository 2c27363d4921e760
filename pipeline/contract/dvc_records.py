"""DVC's records of model files, read without DVC: a server needs no more than the YAML."""

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
    """The md5 that DVC holds for a file: in the `.dvc` file beside it, or in dvc.lock, absent in an image."""
    beside = path.with_name(f"{path.name}.dvc")
    if beside.is_file():
        return _md5(read_mapping(beside).get("outs"), path.name, beside)
    if not paths.LOCK.is_file():
        return None
    stages = read_mapping(paths.LOCK).get("stages")
    for stage in stages.values() if isinstance(stages, dict) else ():
        if isinstance(stage, dict) and (recorded := _md5(stage.get("outs"), project_name(path), paths.LOCK)):
            return recorded
    return None


def md5_of_input(stage: str, path: Path) -> str | None:
    """The md5 of a file when a stage last read it, by dvc.lock; None where there is no such record."""
    stages = read_mapping(paths.LOCK).get("stages") if paths.LOCK.is_file() else None
    record = stages.get(stage) if isinstance(stages, dict) else None
    return _md5(record.get("deps"), path.as_posix(), paths.LOCK) if isinstance(record, dict) else None


def project_name(path: Path) -> str:
    """The path as DVC writes it, from the project's folder; links are not followed, for DVC's cache may use them."""
    try:
        return Path(os.path.relpath(path)).as_posix()
    except ValueError:  # another drive of Windows
        return path.as_posix()


def champion() -> dict[str, str]:
    """`md5` of the promoted model and, where they were noted, its `version` and `revision`; empty before the first
    promotion."""
    path = paths.CHAMPION.with_name(f"{paths.CHAMPION.name}.dvc")
    if not path.is_file():
        return {}
    content = read_mapping(path)
    noted = content.get("meta")
    meta = noted if isinstance(noted, dict) else {}
    found = {
        "md5": _md5(content.get("outs"), paths.CHAMPION.name, path),
        "version": meta.get("version"),
        "revision": meta.get("revision"),
    }
    return {key: str(value) for key, value in found.items() if value is not None}


def _md5(outs: Any, name: str, where: Path) -> str | None:
    for out in outs if isinstance(outs, list) else ():
        if isinstance(out, dict) and out.get("path") == name:
            if not isinstance(out.get("md5"), str):
                raise PipelineError(f"{where}: expected an md5 for {name}, found {out!r}; write it again with DVC")
            return out["md5"]
    return None
