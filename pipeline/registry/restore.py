"""The champion that HEAD records, put back into the workspace."""

import hashlib

from pipeline.contract.errors import PipelineError
from pipeline.contract.paths import CHAMPION, CHAMPION_RECORD
from pipeline.registry import champion_record, rebuild
from pipeline.registry.champion_record import Record


def restore() -> str:
    """Say in one line where the champion came from.

    Raises PipelineError where there is none, or where its bytes are nowhere and cannot be made again.
    """
    record = champion_record.record_at("HEAD")
    if record is None:
        raise PipelineError(f"HEAD records no champion: `make promote` makes one ({CHAMPION_RECORD})")
    if champion_record.is_installed(record):
        return f"{CHAMPION} is there (md5 {record.md5})"
    try:
        content = champion_record.champion_at("HEAD")
    except PipelineError as lost:
        content = _made_again(record, str(lost))
    if content is None:
        raise PipelineError(f"{CHAMPION_RECORD} left HEAD meanwhile: run this again")
    champion_record.install(content, record)
    return f"{CHAMPION} is restored (md5 {record.md5})"


def _made_again(record: Record, lost: str) -> bytes:
    if record.revision is None:
        raise PipelineError(lost)
    content = rebuild.model_at(record.revision)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if md5 != record.md5:
        raise PipelineError(f"{lost}. Made again by {record.revision} on this machine it is another file (md5 {md5})")
    return content
