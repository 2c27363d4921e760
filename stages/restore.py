"""Put the champion that HEAD records into the workspace.

    python -m stages.restore

From the workspace, DVC's cache or a remote, else made again by the revision that made it, and only where that gives the
recorded bytes. Reads models/champion.onnx.dvc at HEAD; writes models/champion.onnx.
"""

import hashlib

from stages import errors
from stages.errors import PipelineError
from stages.promotion import production, rebuild
from stages.promotion.production import CHAMPION, Record


def restore() -> str:
    """Say in one line where the champion came from.

    Raises PipelineError where there is none, or where its bytes are nowhere and cannot be made again.
    """
    record = production.record_at("HEAD")
    if record is None:
        raise PipelineError(f"HEAD records no champion: `make promote` makes one ({production.RECORD})")
    if production.is_installed(record):
        return f"{CHAMPION} is there (md5 {record.md5})"
    try:
        content = production.champion_at("HEAD")
    except PipelineError as lost:
        content = _made_again(record, str(lost))
    if content is None:
        raise PipelineError(f"{production.RECORD} left HEAD meanwhile: run this again")
    production.install(content, record)
    return f"{CHAMPION} is restored (md5 {record.md5})"


def _made_again(record: Record, lost: str) -> bytes:
    if record.revision is None:
        raise PipelineError(lost)
    content = rebuild.model_at(record.revision)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if md5 != record.md5:
        raise PipelineError(f"{lost}. Made again by {record.revision} on this machine it is another file (md5 {md5})")
    return content


def main() -> None:
    print(restore())


if __name__ == "__main__":
    errors.run(main)
