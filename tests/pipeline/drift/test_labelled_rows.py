"""Labelled live rows as parts of a raw table with every kind of column."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipeline.contract import params, schema
from pipeline.drift import labelled_rows
from pipeline.tables import cell_parser, raw_table, sources
from stages import clean
from tests.api.conftest import COLUMNS, table_of

LIMITS = params.Clean(min_rows=50, test_fraction=0.2, folds=3, max_rejected_fraction=0.05)
NOTHING, KNOWN = "0 labelled live rows", " labelled live rows, all in data/raw already"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with 200 raw rows, an id, an ignored column, one that the schema does not know, and no live row."""
    monkeypatch.chdir(tmp_path)
    for name in ("data/raw", "data/live"):
        Path(name).mkdir(parents=True)
    content = {"version": 1, "source": {"origin": "generated", "licence": "none"}, "columns": COLUMNS}
    Path("data/schema.yaml").write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    table_of(200).assign(agent="x").to_csv("data/raw/listings.csv", index=False)


def live_rows(count: int) -> pd.DataFrame:
    """Return rows that the raw table lacks, with the id of a prediction, in the types of an export."""
    raw = table_of(300).tail(100).head(count).drop(columns="note")
    typed = cell_parser.parse(raw.reset_index(drop=True), schema.load().used)[0]
    return typed.assign(prediction_id=[f"p{k:03}" for k in range(count)], prediction=1.0)


def collect(table: pd.DataFrame | None = None, name: str = "predictions.parquet") -> str:
    """Export the table, and collect what is in data/live."""
    if table is not None:
        table.to_parquet(Path("data/live", name), index=False)
    return labelled_rows.collect([Path("data/live")])


def parts() -> list[Path]:
    return [path for path in sources.list_sources() if path.name.startswith("live-")]


def test_labelled_rows_become_a_part_that_clean_takes() -> None:
    """Rows with a target become one part with the columns of the others. `clean` gives them the values that were sent,
    and their ids decide the split. Rows that it would reject are reported."""
    rows = live_rows(60)
    rows.loc[40:, "price"] = None
    rows.loc[0, "rooms"] = 99
    assert collect(rows).endswith("; 1 cannot be used (rooms out_of_bounds)")
    part = raw_table.read_part(parts()[0])
    raw, known = raw_table.read(), schema.load()
    assert (len(parts()), len(part), list(part)) == (1, 39, list(pd.read_csv("data/raw/listings.csv")))
    assert part["agent"].isna().all()
    alone = clean.clean(raw.head(200), known, LIMITS).table
    cleaned = clean.clean(raw, known, LIMITS)
    assert cleaned.rejected.empty
    added = cleaned.table[cleaned.table["row"] >= 200].reset_index(drop=True)
    names = [column.name for column in known.used]
    pd.testing.assert_frame_equal(added[names], rows.loc[1:39, names].reset_index(drop=True))
    assert 0 < (added["fold"] == -1).mean() < 0.5
    pd.testing.assert_series_equal(cleaned.table["fold"].head(200), alone["fold"])


def test_a_row_is_added_once() -> None:
    """The same rows again, in the same file or another, add nothing; later rows are a part of their own. Feedback that
    was corrected since is corrected in its part. The same rows make the same file."""
    assert collect(live_rows(30)).startswith("30 labelled live rows are the new part data/raw/live-")
    first = parts()[0]
    before = first.read_bytes()
    assert collect(live_rows(30), "again.parquet") == f"30{KNOWN}"
    later = live_rows(50)
    later.loc[3, "price"] = 7.5
    Path("data/live/again.parquet").unlink()
    assert collect(later).startswith("20 labelled live rows are the new part ")
    assert collect() == f"50{KNOWN}"
    whole = pd.concat([raw_table.read_part(path) for path in parts()])
    assert (len(whole), len(parts()), (whole["price"] == 7.5).sum()) == (50, 2, 1)
    for path in parts():
        path.unlink()
    collect(live_rows(30))
    assert (parts(), first.read_bytes()) == ([first], before)


def test_rows_without_an_id_are_known_by_what_they_are() -> None:
    """Rows of a CSV are added once too. Equal rows count as one where no two raw rows are equal, else as often as they
    are there."""
    rows = live_rows(20).drop(columns="prediction_id").assign(sold=lambda table: table["sold"].dt.strftime("%d/%m/%Y"))
    twice = pd.concat([rows, rows.head(5), raw_table.read().head(4).drop(columns="note")])
    twice.to_csv("data/live/rows.csv", index=False)
    assert collect().startswith("20 labelled")
    assert collect().endswith(KNOWN)
    parts()[0].unlink()
    raw = pd.read_csv("data/raw/listings.csv", dtype="str", keep_default_na=False)
    pd.concat([raw, raw.head(1)]).to_csv("data/raw/listings.csv", index=False)
    assert collect().startswith("29 labelled")
    assert collect().endswith(KNOWN)


def test_it_says_who_told_the_labels() -> None:
    """Of the rows that are new or corrected it counts the labels by the name of the key that told them."""
    rows = live_rows(10).assign(feedback_key=["crm"] * 6 + ["shop"] * 3 + [None])
    assert collect(rows.head(8)).endswith(".parquet; labels: 6 from crm, 2 from shop")
    rows.loc[0, "price"] = 7.5
    assert "; 1 corrected; labels: 1 from shop, 1 from crm, 1 without a key" in collect(rows)
    assert collect(rows) == f"10{KNOWN}"
    empty = live_rows(12).tail(2).assign(feedback_key="")  # as a CSV has it
    assert collect(empty).endswith(".parquet; labels: 2 without a key")


def test_no_labelled_row_is_no_part() -> None:
    """An empty folder, rows without the target's column, and rows without a target change nothing."""
    for table in (None, live_rows(5).drop(columns="price"), live_rows(5).assign(price=float("nan"))):
        assert collect(table) == NOTHING
    assert parts() == []
