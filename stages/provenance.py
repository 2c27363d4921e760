"""Provenance: what the raw table is, to the byte, and where it comes from.

Reads data/raw and data/schema.yaml; writes data/provenance.json (for programs) and DATA_PROVENANCE.md (for people).
"""

from pathlib import Path
from typing import Any

from stages import csv_file, errors, files, schema, tables
from stages.schema import Source


def describe(path: Path) -> dict[str, Any]:
    """sha256, bytes, rows, columns and encoding of one part."""
    table = tables.read_part(path)
    return {
        "path": path.as_posix(),
        "sha256": files.digest(path),
        "bytes": path.stat().st_size,
        "rows": len(table),
        "columns": list(table.columns),
        "encoding": csv_file.encoding(path) if path.suffix.lower() == ".csv" else "parquet",
    }


def page(parts: list[dict[str, Any]], source: Source) -> str:
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
    parts = [describe(path) for path in tables.raw_parts()]
    files.write_json(Path("data/provenance.json"), {"parts": parts})
    files.write_text(Path("DATA_PROVENANCE.md"), page(parts, schema.load().source))
    for part in parts:
        print(f"{part['path']}: {part['rows']} rows, {len(part['columns'])} columns, sha256 {part['sha256'][:12]}")


if __name__ == "__main__":
    errors.run(main)
