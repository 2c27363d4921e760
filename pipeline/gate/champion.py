"""The champion of a Git revision, wherever it is, or made again."""

import hashlib
from typing import NamedTuple

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import Model
from pipeline.gate import recorded
from pipeline.registry import champion_record, rebuild


class Champion(NamedTuple):
    """`md5` is the recorded one; `note` says where the rebuilt file is another, and is empty otherwise. `commit`: whose
    run made the recorded file, None where no lock says so."""

    model: Model
    md5: str
    commit: str | None
    note: str


def find(revision: str) -> Champion | None:
    """From the workspace, DVC's cache or a remote, else rebuilt; None where the revision has no champion.

    Raises PipelineError where the revision is unknown, or its champion is nowhere and cannot be made again.
    """
    record = champion_record.record_at(revision)
    if record is None:
        return None
    commit = recorded.origin(revision, record)
    try:
        content, note = champion_record.champion_at(revision), ""
    except PipelineError as lost:
        content, note = _rebuilt(commit or revision, record.md5, str(lost))
        if note and commit is None:
            raise PipelineError(f"could not decide: {lost}. {note}") from None
    if content is None:
        return None
    return Champion(Model(content, f"{paths.CHAMPION} at {revision}"), record.md5, commit, note)


def _rebuilt(commit: str, wanted: str, lost: str) -> tuple[bytes, str]:
    """The file and a note where it is not the recorded one to the byte."""
    rebuild.say(lost)
    try:
        content = rebuild.model_at(commit)
    except PipelineError as error:
        raise PipelineError(f"could not decide: {lost}. Rebuilding it failed, too: {error}") from None
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if md5 == wanted:
        rebuild.say(f"rebuilt: md5 {md5}, as recorded")
        return content, ""
    note = f"The champion is rebuilt from {commit} and not the same file: md5 {md5}, recorded {wanted}."
    rebuild.say(note)
    return content, note
