"""A table in parts is the table: wherever a file is cut, and however many parts that makes."""

import shutil
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contract import params, schema
from pipeline.contract.errors import PipelineError
from pipeline.distributed.executor import Executor
from pipeline.tables import atomic_files, csv_blocks, csv_reader, parquet, partitions, sampling
from stages import clean
from tests.conftest import ROOT
from tests.test_other_tables import HOMES, homes

CELL = st.one_of(
    st.text("ab1 é", max_size=4),
    st.text('ab,"\n\r', max_size=6).map(lambda text: '"' + text.replace('"', '""') + '"'),
)


def blocks(path: Path, size: int) -> list[csv_blocks.Block]:
    spans = csv_blocks.spans(path, size)
    return csv_blocks.blocks(spans, [csv_blocks.scan(span) for span in spans])


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=12),
    end=st.sampled_from(["\n", "\r\n"]),
    blank=st.sets(st.integers(1, 12)),
    mark=st.booleans(),
    last=st.booleans(),
    size=st.integers(1, 60),
)
def test_a_file_in_blocks_is_the_file(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    end: str,
    blank: set[int],
    mark: bool,
    last: bool,
    size: int,
) -> None:
    """Cut into blocks of any size, a CSV file has the same rows with the same numbers, whatever its quoted cells hold,
    with blank lines, CRLF and a byte-order mark, and with or without a last line end."""
    lines = ["first,second,third", *(f"x,{a},{b}" for a, b in rows)]
    lines = [line for place, each in enumerate(lines) for line in ([""] if place in blank else []) + [each]]
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    path.write_bytes(b"\xef\xbb\xbf" * mark + (end.join(lines) + end * last).encode())
    whole = csv_reader.read(path)
    found = blocks(path, size)
    assert [block.first for block in found] == [sum(b.rows for b in found[:place]) for place in range(len(found))]
    assert pa.concat_tables([csv_blocks.read(block) for block in found]).equals(whole)


@settings(deadline=None)
@given(length=st.integers(1, 500), size=st.integers(1, 600))
def test_spans_are_of_one_length(tmp_path_factory: pytest.TempPathFactory, length: int, size: int) -> None:
    """A file is cut into as few spans of at most `size` bytes as possible, of the same length to a byte."""
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    path.write_bytes(b"1" * length)
    spans = csv_blocks.spans(path, size)
    lengths = [span.stop - span.start for span in spans]
    assert [span.start for span in spans] == [sum(lengths[:place]) for place in range(len(spans))]
    assert sum(lengths) == length
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1
    assert (len(spans) - 1) * size < length


def test_a_block_that_is_no_table_is_named_by_its_rows(tmp_path: Path) -> None:
    """A row with too many cells, a byte that is no UTF-8 and a lone carriage return are found in the middle of a file,
    with the row or line of the whole file."""
    lines = [f"{i},{i}" for i in range(1000)]
    bad = {
        "row 702 .* has 3 cells, expected 2": b"1,2,3",
        "0xe9 in line 702": b"caf\xe9,1",
        "lone carriage": b"1,2\r3,4",
    }
    for said, line in bad.items():
        path = tmp_path / "table.csv"
        path.write_bytes(b"a,b\n" + b"\n".join([line if i == 700 else lines[i].encode() for i in range(1000)]) + b"\n")
        with pytest.raises(PipelineError, match=said):
            [csv_blocks.read(block) for block in blocks(path, 500)]


def test_a_quote_in_the_middle_of_a_cell_is_no_place_to_guess(tmp_path: Path) -> None:
    """A file with quotes inside of unquoted cells, which tell nothing of where rows end, is read as one block."""
    path = tmp_path / "table.csv"
    path.write_text("a,b\n" + '5" pipe,1\n' * 99)
    (block,) = blocks(path, 50)
    assert block.rows == csv_blocks.read(block).num_rows == 99


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with sales that have a time and groups, gaps and bad rows, in a CSV and a Parquet file."""
    (tmp_path / "data/raw").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "data/schema.yaml").write_text(yaml.safe_dump(HOMES, allow_unicode=True, sort_keys=False))
    table = homes(1500)
    table.loc[[3, 700, 1400], "profit"] = None
    table.loc[[5, 900], "größe m²"] = -1
    table["remarks"] = 'two\nlines, "quoted"'
    table.head(900).to_csv(tmp_path / "data/raw/a.csv", index=False)
    table.tail(600).to_parquet(tmp_path / "data/raw/b.parquet", row_group_size=250)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cleaned() -> tuple[dict[str, pd.DataFrame], str]:
    found = {name: parquet.read(Path(f"data/clean/{name}.parquet")) for name in clean.TABLES}
    return found, Path("data/clean/report.json").read_text() + Path("metrics/clean.json").read_text()


def clean_in_parts(size: int) -> int:
    workers, limits, table_schema = Executor(), params.load("clean"), schema.load()
    parts = partitions.cut(workers.map, size)
    clean.save(*clean.run(workers, parts, table_schema, limits), table_schema)
    return len(parts)


def without(role: str) -> None:
    content = yaml.safe_load(Path("data/schema.yaml").read_text())
    for column in content["columns"].values():
        if column.get("role") == role:
            column["role"] = "ignore"
    Path("data/schema.yaml").write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))


@pytest.mark.parametrize("ignored", ["none", "time", "group"])
def test_clean_in_parts_is_clean(workspace: Path, ignored: str) -> None:
    """One, a few or many parts give the tables, the report and the counts of the whole, row for row, where a hash, the
    time, or the time of a group decides the split; as one file the training rows have the same sha256; and a folder of
    parts takes the place of a file, and back."""
    without(ignored)
    clean.main()
    expected, figures = cleaned()
    sha256 = atomic_files.digest(Path("data/clean/train.parquet"))
    assert len(expected["rejected"]) == 5
    assert sorted(pd.concat(expected.values())["row"]) == list(range(1500))
    made = []
    for size in (10_000_000, 20_000, 3_000):
        made.append(clean_in_parts(size))
        found, same = cleaned()
        for name, table in expected.items():
            pd.testing.assert_frame_equal(found[name], table)
        assert same == figures
        assert parquet.digest(found["train"]) == sha256
        assert (workspace / "data/clean/train.parquet").is_dir()
    assert made == sorted(set(made))
    assert made[-1] > 20
    clean.main()
    assert (workspace / "data/clean/train.parquet").is_file()
    assert not list(workspace.rglob("*.partial"))


def test_the_same_rows_stand_for_a_table_however_it_is_cut(workspace: Path) -> None:
    """A sample by the hash of the row number is the same from one file and from many parts."""
    train = Path("data/clean/train.parquet")
    clean.main()
    expected = parquet.read(train, numbers=sampling.sample_numbers(train, 100))
    clean_in_parts(3_000)
    pd.testing.assert_frame_equal(parquet.read(train, numbers=sampling.sample_numbers(train, 100)), expected)
    assert len(expected) == 100


def test_a_part_with_another_header_is_named(workspace: Path) -> None:
    """Of parts with different columns the error names both and the column."""
    pd.DataFrame({"other": [1]}).to_csv(workspace / "data/raw/c.csv", index=False)
    with pytest.raises(
        PipelineError, match=r"c\.csv and data/raw/a\.csv must have the same columns, but block, .*other"
    ):
        clean_in_parts(3_000)


def test_an_unreadable_part_is_named(workspace: Path) -> None:
    """A Parquet file that is cut short is named with what to do."""
    path = workspace / "data/raw/b.parquet"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(
        PipelineError, match=r"data/raw/b\.parquet is no readable Parquet file .*: replace the raw file"
    ):
        clean_in_parts(3_000)


def test_raw_parts_may_be_elsewhere(
    workspace: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file .urls names parts for fsspec to read; they give the tables that the same files in data/raw do. What cannot
    be opened is named, with the package to install where that is why."""
    clean.main()
    expected, figures = cleaned()
    away = tmp_path_factory.mktemp("away")
    for name in ("a.csv", "b.parquet"):
        shutil.move(workspace / "data/raw" / name, away / name)
    (workspace / "data/raw/parts.urls").write_text(
        f"# elsewhere\n{(away / 'a.csv').as_uri()}\n{(away / 'b.parquet').as_uri()}\n"
    )
    for again in (clean.main, lambda: clean_in_parts(3_000)):
        again()
        found, same = cleaned()
        assert same == figures
        pd.testing.assert_frame_equal(found["train"], expected["train"])
    monkeypatch.setitem(sys.modules, "s3fs", None)
    for url, said in {
        "s3://bucket/a.csv": "pip install s3fs",
        f"{away.as_uri()}/c.csv": "FileNotFoundError: .*: correct data/raw/",
    }.items():
        (workspace / "data/raw/parts.urls").write_text(url)
        with pytest.raises(PipelineError, match=rf"{url} cannot be opened.*{said}"):
            clean.main()
    (workspace / "data/raw/parts.urls").write_text("s3:/bucket\n")
    with pytest.raises(PipelineError, match=r"s3:/bucket is no URL of a \.csv or \.parquet file"):
        clean.main()
