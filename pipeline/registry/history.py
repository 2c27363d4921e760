"""The history of the champion, metrics/history.jsonl: one JSON object for each verdict, promotion and rollback.

Lines are only ever added.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError


def append(entry: dict[str, Any], path: Path = paths.HISTORY) -> None:
    """Add one line with the time (UTC), in one write, so that two writers cannot mix their lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), **entry}, allow_nan=False) + "\n"
    # A kill may have cut the last line off: the new one starts below it.
    if path.exists() and path.read_bytes()[-1:] not in (b"", b"\n"):
        line = "\n" + line
    with path.open("ab", buffering=0) as file:
        file.write(line.encode())


def read(path: Path = paths.HISTORY) -> list[dict[str, Any]]:
    """Return the lines, oldest first. Raises PipelineError that names a line that is no JSON object."""
    return parse(path.read_text(encoding="utf-8") if path.exists() else "", str(path))


def parse(text: str, where: str) -> list[dict[str, Any]]:
    """Return the lines of a history's text; `where` names it in errors, which are those of `read`."""
    entries: list[dict[str, Any]] = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            entries.append(msgspec.json.decode(line, type=dict))
        except msgspec.DecodeError:
            raise PipelineError(
                f"{where}, line {number}: expected one JSON object, found {line[:60]!r}; remove it"
            ) from None
    return entries
