"""The champion's record, models/champion.onnx.dvc, and the only function that writes it and the champion's file.

The record is DVC's; its `meta` names the champion's `version` and the Git `revision` whose `dvc repro` makes it.
No stage of the pipeline writes either.
"""

import contextlib
from typing import Any, NamedTuple

import yaml

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.registry import git, signing
from pipeline.tables import atomic_files


class ChampionRecord(NamedTuple):
    """A recorded champion; `revision` and `version` are None where the record is not by `promote`."""

    md5: str
    revision: str | None
    version: str | None


def record_at(revision: str) -> ChampionRecord | None:
    """Return the champion's record at a Git revision; None where it has no champion.

    Raises PipelineError where the revision is unknown or its record cannot be read.
    """
    text = git.show(git.commit_of(revision), paths.CHAMPION_RECORD)
    if text is None:
        return None
    if (record := _parsed(text)) is None:
        raise PipelineError(f"{paths.CHAMPION_RECORD} at {revision} names no md5: restore it from an earlier commit")
    return record


def recorded_md5(revision: str) -> str | None:
    """Return the md5 of the champion at a Git revision; None where it has no champion."""
    record = record_at(revision)
    return record and record.md5


def has_new_rows() -> bool:
    """Return True where no champion was promoted or brought back with exactly the rows that data/raw has now.

    So after a rollback, the rows that led to the version that was taken back are not new.
    """
    now = git.tree("HEAD", paths.RAW)
    if recorded_md5("HEAD") is None or now is None or git.changed([paths.RAW.as_posix()]):
        return True
    return now not in {git.tree(commit, paths.RAW) for commit in git.commits_that_changed(paths.CHAMPION_RECORD)}


def install(content: bytes, record: ChampionRecord, signature: bytes | None = None) -> None:
    """Make `content` the workspace's champion; a kill at any moment leaves no file that its record contradicts."""
    from dvc.repo import Repo  # takes half a second to import

    out = {"md5": record.md5, "size": len(content), "hash": "md5", "path": paths.CHAMPION.name}
    meta = {"revision": record.revision, "version": record.version}
    with Repo() as repo, contextlib.ExitStack() as stack:
        champion, written = (
            stack.enter_context(atomic_files.replacing(path)) for path in (paths.CHAMPION, paths.CHAMPION_RECORD)
        )
        champion.write_bytes(content)
        # `dvc add` would do this too, but writes the record in place: a kill in that moment leaves half of one.
        repo.cache.local.add(str(champion.absolute()), repo.cache.local.fs, record.md5)
        written.write_text(yaml.safe_dump({"outs": [out], "meta": meta}, sort_keys=False), encoding="utf-8")
        if signature:
            stack.enter_context(atomic_files.replacing(signing.SIGNATURE)).write_bytes(signature)
        # Only renames follow: the champion goes, then come its signature, its record and itself.
        paths.CHAMPION.unlink(missing_ok=True)


def is_installed(record: ChampionRecord) -> bool:
    """Return True where the workspace has this record and the champion that it names."""
    if not (paths.CHAMPION.exists() and paths.CHAMPION_RECORD.exists()):
        return False
    written = _parsed(paths.CHAMPION_RECORD.read_text(encoding="utf-8", errors="replace"))
    return written == record and atomic_files.digest(paths.CHAMPION, "md5") == record.md5


def _parsed(text: str) -> ChampionRecord | None:
    try:
        content: dict[str, Any] = yaml.safe_load(text)
        meta = content.get("meta") or {}
        return ChampionRecord(str(content["outs"][0]["md5"]), meta.get("revision"), meta.get("version"))
    except (yaml.YAMLError, KeyError, IndexError, TypeError, AttributeError):
        return None
