"""Provenance: what the raw table is, to the byte, and where it comes from.

Reads data/raw and data/schema.yaml; writes data/provenance.json (for programs) and DATA_PROVENANCE.md (for people).
"""

import hashlib
from pathlib import Path
from typing import Any

from pipeline.contract import errors, schema
from pipeline.contract.schema import Source as Origin
from pipeline.tables import atomic_files, csv_checks, csv_reader, parquet, sources
from pipeline.tables.sources import Source


def describe(part: Source) -> dict[str, Any]:
    """sha256, bytes, rows, columns and encoding of one part, in memory that does not grow with it."""
    if sources.is_csv(part):
        encoding, columns, rows = csv_checks.encoding(part), csv_reader.columns(part), csv_reader.count(part)
    else:
        with parquet.open_raw(part) as file:
            encoding, columns, rows = (
                "parquet",
                list(file.schema_arrow.empty_table().to_pandas()),
                file.metadata.num_rows,
            )
    with sources.open_source(part) as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        size = opened.tell()
    path = part.as_posix() if isinstance(part, Path) else part
    return {"path": path, "sha256": sha256, "bytes": size, "rows": rows, "columns": columns, "encoding": encoding}


def page(parts: list[dict[str, Any]], source: Origin) -> str:
    """The Markdown page; whole, from the schema's `source` and the files."""
    lines = ["# Data provenance", "", f"- Origin: {source.origin}", f"- Licence: {source.licence}", ""]
    if source.notes:
        lines += ["## What to know", "", *(f"- {note}" for note in source.notes), ""]
    lines += ["## Files", "", "| file | rows | columns | bytes | sha256 |", "|---|---|---|---|---|"]
    lines += [f"| {p['path']} | {p['rows']} | {len(p['columns'])} | {p['bytes']} | `{p['sha256']}` |" for p in parts]
    lines += ["", f"Columns: {', '.join(parts[0]['columns'])}.", ""]
    lines += ["Written by `dvc repro provenance`; edit `source` in `data/schema.yaml` instead of this page.", ""]
    return "\n".join(lines)


def main() -> None:
    parts = [describe(path) for path in sources.list_sources()]
    atomic_files.write_json(Path("data/provenance.json"), {"parts": parts})
    atomic_files.write_text(Path("DATA_PROVENANCE.md"), page(parts, schema.load().source))
    for part in parts:
        print(f"{part['path']}: {part['rows']} rows, {len(part['columns'])} columns, sha256 {part['sha256'][:12]}")


if __name__ == "__main__":
    errors.run_command(main)
