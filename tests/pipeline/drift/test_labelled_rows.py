"""Labelled live rows as parts of a raw table with every kind of column."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline.contract import params, schema
from pipeline.drift import labelled_rows
from pipeline.tables import cell_parser, raw_table, sources
from stages import clean
from tests.api.conftest import COLUMNS, table_of

LIMITS = params.Clean(min_rows=50, test_fraction=0.2, folds=3, max_rejected_fraction=0.05)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with 200 raw rows, an id, an ignored column, one that the schema does not know, and no live row."""
    source = {"origin": "generated", "licence": "none"}
    for name in ("data/raw", "data/live"):
        (tmp_path / name).mkdir(parents=True)
    text = yaml.safe_dump({"version": 1, "source": source, "columns": COLUMNS}, sort_keys=False, allow_unicode=True)
    (tmp_path / "data/schema.yaml").write_text(text, encoding="utf-8")
    table_of(200).assign(agent="x").to_csv(tmp_path / "data/raw/listings.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def live_rows(count: int, **changes: Any) -> pd.DataFrame:
    """Rows that the raw table has not, with a prediction's id, in the types of an export."""
    known = schema.load()
    raw = table_of(300).tail(100).head(count).drop(columns="note").assign(**changes)
    typed = cell_parser.parse(raw.reset_index(drop=True), known.used)[0]
    return typed.assign(prediction_id=[f"p{k:03}" for k in range(count)], prediction=1.0)


def export(table: pd.DataFrame, name: str = "predictions.parquet") -> None:
    path = Path("data/live", name)
    table.to_csv(path, index=False) if path.suffix == ".csv" else table.to_parquet(path, index=False)


def collect() -> str:
    return labelled_rows.collect([Path("data/live")])


def parts() -> list[pd.DataFrame]:
    return [raw_table.read_part(path) for path in sources.list_sources() if path.name.startswith("live-")]


def test_labelled_rows_become_a_part_that_clean_takes(folder: Path) -> None:
    """Rows with a target become one part with the columns of the others, and clean gives them the values that were
    sent, each row on the side that its id decides; rows without one stay away, and rows that clean would reject are
    told."""
    rows = live_rows(60)
    rows.loc[40:, "price"] = None
    rows.loc[0, "rooms"] = 99
    export(rows)
    assert collect().endswith("; 1 cannot be used (rooms out_of_bounds)")
    (part,) = parts()
    raw, known = raw_table.read(), schema.load()
    assert (len(part), list(part)) == (39, list(raw_table.read_part(folder / "data/raw/listings.csv")))
    assert part["agent"].isna().all()
    alone = clean.clean(raw.head(200), known, LIMITS).table
    cleaned = clean.clean(raw, known, LIMITS)
    assert cleaned.rejected.empty
    added = cleaned.table[cleaned.table["row"] >= 200].reset_index(drop=True)
    names = [column.name for column in known.used]
    pd.testing.assert_frame_equal(added[names], rows.loc[1:39, names].reset_index(drop=True))
    assert 0 < (added["fold"] == -1).mean() < 0.5
    pd.testing.assert_series_equal(cleaned.table["fold"].head(200), alone["fold"])


def test_a_row_is_added_once(folder: Path) -> None:
    """The same export again, or beside another file with the same rows, adds nothing; later rows are a part of their
    own; feedback that was corrected since is corrected where the row is; the same rows make the same file."""
    export(live_rows(30))
    assert collect().startswith("30 labelled live rows are the new part data/raw/live-")
    before = {path: path.read_bytes() for path in sources.list_sources()}
    export(live_rows(30), "again.parquet")
    assert collect() == "no labelled live row that data/raw has not"
    later = live_rows(50)
    later.loc[3, "price"] = 7.5
    export(later)
    Path("data/live/again.parquet").unlink()
    assert collect().startswith("20 labelled live rows are the new part ")
    assert collect() == "no labelled live row that data/raw has not"
    whole = pd.concat(parts())
    assert (len(whole), len(parts()), (whole["price"] == 7.5).sum()) == (50, 2, 1)
    for path in sources.list_sources():
        if path.name.startswith("live-"):
            path.unlink()
    export(live_rows(30))
    collect()
    assert {path: path.read_bytes() for path in sources.list_sources()} == before


def test_rows_without_an_id_are_known_by_what_they_are(folder: Path) -> None:
    """Rows of a CSV that somebody laid there are added once too, equal ones as often as they are there, but for a raw
    table in which no two rows are equal: there an equal row is the same one."""
    rows = live_rows(20).drop(columns="prediction_id")
    twice = pd.concat([rows, rows.head(5), raw_table.read().head(4).drop(columns="note")])
    export(twice, "rows.csv")
    assert collect().startswith("20 labelled")
    assert collect().startswith("no labelled")
    sources.list_sources()[-1].unlink()
    raw = pd.read_csv("data/raw/listings.csv", dtype="str", keep_default_na=False)
    pd.concat([raw, raw.head(1)]).to_csv("data/raw/listings.csv", index=False)
    assert collect().startswith("29 labelled")
    assert collect().startswith("no labelled")


def test_nothing_to_learn_from_is_no_part(folder: Path) -> None:
    """An empty folder, rows without the target's column, and rows of which none has a target change nothing."""
    for table in (None, live_rows(5).drop(columns="price"), live_rows(5).assign(price=float("nan"))):
        if table is not None:
            export(table)
        assert collect() == "no labelled live row that data/raw has not"
    assert len(sources.list_sources()) == 1
