"""Provenance: the raw table's files, to the byte, and their origin.

Reads data/raw and data/schema.yaml; writes data/provenance.json (for programs) and DATA_PROVENANCE.md (for people).
"""

import codecs
import hashlib
from pathlib import Path
from typing import Any

from pipeline.contract import errors, paths, schema
from pipeline.contract.schema import Source as Origin
from pipeline.contract.wording import counted, titles
from pipeline.tables import atomic_files, csv_reader, parquet, raw_table, sources
from pipeline.tables.sources import Source


class Fingerprint:
    """The first bytes, the sha256 and the size of a file, taken while it is read."""

    def __init__(self) -> None:
        self.start = b""
        self.sha256 = hashlib.sha256()
        self.size = 0

    def update(self, block: bytes) -> None:
        """Take the next block of the file."""
        self.start = self.start or block
        self.sha256.update(block)
        self.size += len(block)


def describe(part: Source) -> dict[str, Any]:
    """Return path, sha256, bytes, rows, columns and encoding of one file; a CSV file is read once, block by block."""
    fingerprint, columns = Fingerprint(), raw_table.column_names(part)
    if sources.is_csv(part):
        rows = sum(batch.num_rows for batch in csv_reader.batches(part, columns[:1], fingerprint.update))
        encoding = "utf-8-sig" if fingerprint.start.startswith(codecs.BOM_UTF8) else "utf-8"
    else:
        with parquet.open_raw(part) as file:
            rows, encoding = file.metadata.num_rows, "parquet"
        with sources.open_source(part) as opened:
            while block := opened.read(csv_reader.BLOCK):
                fingerprint.update(block)
    return {
        "path": part.as_posix() if isinstance(part, Path) else part,
        "sha256": fingerprint.sha256.hexdigest(),
        "bytes": fingerprint.size,
        "rows": rows,
        "columns": columns,
        "encoding": encoding,
    }


def page(parts: list[dict[str, Any]], source: Origin) -> str:
    """Return the whole Markdown page, from the schema's `source` and the descriptions of the files."""
    lines = ["# Data provenance", "", f"- Origin: {source.origin}", f"- Licence: {source.licence}", ""]
    if source.notes:
        lines += ["## What to know", "", *(f"- {note}" for note in source.notes), ""]
    lines += ["## Files", "", "| file | rows | columns | bytes | sha256 |", "|---|---|---|---|---|"]
    lines += [f"| {p['path']} | {p['rows']} | {len(p['columns'])} | {p['bytes']} | `{p['sha256']}` |" for p in parts]
    lines += ["", f"Columns: {', '.join(titles(parts[0]['columns']))}.", ""]
    lines += ["Written by `dvc repro provenance`; edit `source` in `data/schema.yaml` instead of this page.", ""]
    return "\n".join(lines)


def main() -> None:
    parts = [describe(path) for path in sources.list_sources()]
    atomic_files.write_json(paths.PROVENANCE, {"parts": parts})
    atomic_files.write_text(paths.PROVENANCE_PAGE, page(parts, schema.load().source))
    for part in parts:
        size = f"{counted(part['rows'], 'row')}, {counted(len(part['columns']), 'column')}"
        print(f"{part['path']}: {size}, sha256 {part['sha256'][:12]}")


if __name__ == "__main__":
    errors.run_command(main)
