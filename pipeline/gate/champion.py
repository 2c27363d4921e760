"""The champion of a Git revision, from wherever its file is, or made again."""

from collections.abc import Callable
from typing import NamedTuple

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import Model
from pipeline.contract.schema import Schema
from pipeline.gate.comparable import schema_at
from pipeline.registry import rebuild
from pipeline.registry.champion_file import champion_at
from pipeline.registry.champion_record import record_at
from pipeline.registry.recorded_outputs import commit_that_made


class Champion(NamedTuple):
    """A champion to judge against: its file's `content`, and the `model` in it.

    `md5` is the recorded one; `commit` is the one whose run made the recorded file, None where no dvc.lock names it;
    `note` says that a rebuilt file is another, and is empty otherwise.
    """

    content: bytes
    model: Model
    md5: str
    commit: str | None
    note: str


def find_champion(revision: str, check: Callable[[Schema, str], None]) -> Champion | None:
    """Take the file from the workspace, DVC's cache or a remote, else rebuild it.

    `check` takes the champion's schema and name, and raises where the two models cannot be compared: before a rebuild,
    which takes as long as the pipeline, it is given the schema of the commit that made the champion.
    None where the revision has no champion. Raises PipelineError where the revision is unknown, or its champion is
    nowhere and cannot be made again.
    """
    record = record_at(revision)
    if record is None:
        return None
    commit, note, name = commit_that_made(record, revision), "", f"{paths.CHAMPION} at {revision}"
    try:
        content = champion_at(revision)
    except PipelineError as lost:
        if recorded := schema_at(commit or revision):
            check(recorded, name)
        content, note = _rebuilt(commit or revision, record.md5, str(lost))
        if note and commit is None:
            raise PipelineError(f"could not decide: {lost}. {note}") from None
    if content is None:
        return None
    model = Model(content, name)
    check(model.description.schema, name)
    return Champion(content, model, record.md5, commit, note)


def _rebuilt(commit: str, recorded: str, lost: str) -> tuple[bytes, str]:
    """Return the file that `commit` makes, and a note where it is not the recorded one to the byte."""
    try:
        content, md5 = rebuild.model_at(commit, lost)
    except PipelineError as error:
        raise PipelineError(f"could not decide: {lost}. Rebuilding it failed, too: {error}") from None
    note = f"The champion is rebuilt from {commit} and not the same file: md5 {md5}, recorded {recorded}."
    rebuild.report(f"rebuilt: md5 {md5}, as recorded" if md5 == recorded else note)
    return content, "" if md5 == recorded else note
