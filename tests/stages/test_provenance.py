"""Provenance: what the raw table is, to the byte."""

import hashlib
import io
import json
import shutil
from pathlib import Path

import pytest

from pipeline.tables import csv_checks, csv_reader, sources
from stages import provenance
from tests.conftest import ROOT

HOUSING = ROOT / "data/raw/housing.csv"
NAMES = HOUSING.read_text().splitlines()[0].split(",")


def test_provenance_is_true_to_the_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """data/provenance.json has sha256, bytes, rows, columns, encoding of each part; the page has origin and notes."""
    raw = tmp_path / "data/raw/housing.csv"
    raw.parent.mkdir(parents=True)
    raw.write_bytes(b"\xef\xbb\xbf" + HOUSING.read_bytes())
    shutil.copy(ROOT / "data/schema.yaml", tmp_path / "data/schema.yaml")
    monkeypatch.chdir(tmp_path)
    provenance.main()
    part = json.loads(Path("data/provenance.json").read_text())["parts"][0]
    assert part == {
        "path": "data/raw/housing.csv",
        "sha256": hashlib.sha256(raw.read_bytes()).hexdigest(),
        "bytes": raw.stat().st_size,
        "rows": 506,
        "columns": NAMES,
        "encoding": "utf-8-sig",
    }
    page = Path("DATA_PROVENANCE.md").read_text()
    for said in ("Harrison", "1978", "StatLib", "16 rows at exactly 50", "scikit-learn withdrew", part["sha256"]):
        assert said in page


class Counted(io.BytesIO):
    """A file that adds up the bytes that are read from it."""

    total = 0

    def read(self, size: int | None = -1) -> bytes:
        block = super().read(size)
        Counted.total += len(block)
        return block


@pytest.mark.parametrize("is_url", [False, True])
def test_a_csv_file_is_read_once(monkeypatch: pytest.MonkeyPatch, is_url: bool) -> None:
    """Hash, size, encoding, columns and rows of a CSV file, or of its URL, take one pass; its header is read twice."""
    part = HOUSING.as_uri() if is_url else HOUSING
    monkeypatch.setattr(csv_reader, "open_source", lambda source: Counted(sources.open_source(source).read()))
    monkeypatch.setattr(csv_checks, "START", 1000)
    monkeypatch.setattr(Counted, "total", 0)
    described = provenance.describe(part)
    assert described["sha256"] == hashlib.sha256(HOUSING.read_bytes()).hexdigest()
    assert (described["rows"], described["columns"]) == (506, NAMES)
    assert described["bytes"] == HOUSING.stat().st_size == Counted.total - csv_checks.START
