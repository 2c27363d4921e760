"""The champion's file, models/champion.onnx, and its record, models/champion.onnx.dvc.

The record is DVC's, and says under `meta` which `version` this is and the Git `revision` whose `dvc repro` makes it.
No stage of the pipeline writes either.
"""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.registry import git
from pipeline.tables import atomic_files


class Record(NamedTuple):
    """What DVC knows of a champion; `revision` and `version` are None where it was not promoted by this project."""

    md5: str
    revision: str | None
    version: str | None


def record_at(revision: str) -> Record | None:
    """The champion's record at a Git revision; None where it has no champion.

    Raises PipelineError where the revision is unknown or its record cannot be read.
    """
    text = git.show(git.commit_of(revision), paths.CHAMPION_RECORD)
    if text is None:
        return None
    if (record := _parsed(text)) is None:
        raise PipelineError(f"{paths.CHAMPION_RECORD} at {revision} names no md5: restore it from an earlier commit")
    return record


def recorded_md5(revision: str) -> str | None:
    """The md5 that DVC recorded for the champion at a revision; None where it has no champion."""
    record = record_at(revision)
    return record and record.md5


def champion_at(revision: str) -> bytes | None:
    """The champion's file as it was at a Git revision; None where that revision has none.

    Looks in the workspace, then in DVC's cache and remotes. Raises PipelineError where the revision is unknown or
    the file cannot be found.
    """
    recorded = recorded_md5(revision)
    if recorded is None:
        return None
    if paths.CHAMPION.exists() and atomic_files.digest(paths.CHAMPION, "md5") == recorded:
        return paths.CHAMPION.read_bytes()
    return _from_dvc(revision, recorded)


def install(content: bytes, record: Record) -> None:
    """Make this the champion of the workspace; a kill at any moment leaves no file that its record contradicts."""
    with atomic_files.replacing(paths.CHAMPION) as file, atomic_files.replacing(paths.CHAMPION_RECORD) as written:
        file.write_bytes(content)
        _into_cache(file, record.md5)
        out = {"md5": record.md5, "size": len(content), "hash": "md5", "path": paths.CHAMPION.name}
        meta = {"revision": record.revision, "version": record.version}
        written.write_text(yaml.safe_dump({"outs": [out], "meta": meta}, sort_keys=False), encoding="utf-8")
        # From here on three renames: no champion, the new record (as the inner block ends), the new champion.
        paths.CHAMPION.unlink(missing_ok=True)


def is_installed(record: Record) -> bool:
    """Whether the workspace's file and its record are these."""
    if not (paths.CHAMPION.exists() and paths.CHAMPION_RECORD.exists()):
        return False
    written = _parsed(paths.CHAMPION_RECORD.read_text(encoding="utf-8", errors="replace"))
    return written == record and atomic_files.digest(paths.CHAMPION, "md5") == record.md5


def _parsed(text: str) -> Record | None:
    try:
        content: dict[str, Any] = yaml.safe_load(text)
        meta = content.get("meta") or {}
        return Record(str(content["outs"][0]["md5"]), meta.get("revision"), meta.get("version"))
    except (yaml.YAMLError, KeyError, IndexError, TypeError, AttributeError):
        return None


def _into_cache(file: Path, md5: str) -> None:
    from dvc.repo import Repo  # takes half a second to import

    # `dvc add` would do it too, but writes the record in place: a kill in that moment leaves half of one.
    with Repo() as repo:
        repo.cache.local.add(str(file.absolute()), repo.cache.local.fs, md5)


def stored(path: Path, revision: str) -> bytes:
    """A file of an earlier revision, from DVC's cache or today's remote: a revision knows no remote that is younger.

    Raises DvcException or OSError where it is in neither.
    """
    import dvc.api  # takes a second to import, and is seldom needed
    from dvc.repo import Repo

    with Repo() as repo:
        remote = repo.config["core"].get("remote")
    content: bytes = dvc.api.read(path.as_posix(), rev=revision, remote=remote, mode="rb")
    return content


def _from_dvc(revision: str, recorded: str) -> bytes:
    from dvc.exceptions import DvcException

    again = (
        f"or check out {revision} in a clone, run `dvc repro` there and copy its {paths.MODEL} here as {paths.CHAMPION}"
    )
    try:
        content = stored(paths.CHAMPION, revision)
    except (DvcException, OSError) as error:
        raise PipelineError(
            f"the champion of {revision} (md5 {recorded}) is neither in the workspace nor in DVC's cache or a remote "
            f"({error}): run `dvc pull {paths.CHAMPION}`, or `dvc push --all-tags` where it was promoted, {again}"
        ) from None
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != recorded:
        raise PipelineError(
            f"DVC's copy of the champion of {revision} is damaged: run `dvc pull --force {paths.CHAMPION}`, {again}"
        )
    return content
