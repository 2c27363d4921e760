"""Clean in parts gives what clean gives, however many partitions and batches the raw table has."""

import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.params import load as load_params
from pipeline.contract.schema import load as load_schema
from pipeline.distributed.executor import Executor
from pipeline.tables import atomic_files, parquet, partitions, sampling
from stages import clean
from tests.conftest import ROOT
from tests.test_other_tables import HOMES, homes


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


def clean_in_parts(cells: int) -> int:
    """Clean in this process as Dask's workers do, that many cells at a time; return the number of files of a table."""
    schema, workers = load_schema(), Executor()
    with pytest.MonkeyPatch.context() as patch, clean._outputs() as out:
        patch.setattr(clean, "CELLS", cells)
        parts = partitions.list_partitions(workers.map)
        clean.save(clean.clean_parts(workers, parts, out, schema, load_params("clean")), schema)
    return len(list(paths.TRAIN.iterdir()))


def without(role: str) -> None:
    content = yaml.safe_load(Path("data/schema.yaml").read_text())
    for column in content["columns"].values():
        if column.get("role") == role:
            column["role"] = "ignore"
    Path("data/schema.yaml").write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))


@pytest.mark.parametrize("ignored", ["none", "time", "group"])
def test_clean_in_parts_is_clean(workspace: Path, ignored: str) -> None:
    """A few or many batches give the tables, the report and the counts of the whole, row for row, where a hash, the
    time, or the time of a group decides the split; as one file the training rows have the same sha256; and a folder of
    parts takes the place of a file, and back."""
    without(ignored)
    clean.main()
    expected, figures = cleaned()
    sha256 = atomic_files.digest(Path("data/clean/train.parquet"))
    assert len(expected["rejected"]) == 5
    assert sorted(pd.concat(expected.values())["row"]) == list(range(1500))
    made = []
    for cells in (10_000_000, 2_000, 500):
        made.append(clean_in_parts(cells))
        found, same = cleaned()
        for name, table in expected.items():
            pd.testing.assert_frame_equal(found[name], table)
        assert same == figures
        assert parquet.digest(found["train"]) == sha256
        assert (workspace / "data/clean/train.parquet").is_dir()
    assert made[0] == 4  # the CSV file, and three row groups of the Parquet file
    assert made[2] > made[1] > made[0]
    clean.main()
    assert (workspace / "data/clean/train.parquet").is_file()
    assert not list(workspace.rglob("*.partial"))


def test_the_same_rows_stand_for_a_table_however_it_is_cut(workspace: Path) -> None:
    """A sample by the hash of the row number is the same from one file and from many parts."""
    train = Path("data/clean/train.parquet")
    clean.main()
    expected = parquet.read(train, numbers=sampling.sample_numbers(train, 100))
    clean_in_parts(500)
    pd.testing.assert_frame_equal(parquet.read(train, numbers=sampling.sample_numbers(train, 100)), expected)
    assert len(expected) == 100


def test_an_unusable_part_is_named(workspace: Path) -> None:
    """A part with other columns, and a Parquet file that is cut short, are named."""
    other, path = workspace / "data/raw/c.csv", workspace / "data/raw/b.parquet"
    other.write_text("other\n1\n")
    with pytest.raises(PipelineError, match=r"c\.csv and data/raw/a\.csv must have .* one of them has block, .*other"):
        clean_in_parts(500)
    other.unlink()
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(PipelineError, match=r"data/raw/b\.parquet is no readable .*: replace the raw file"):
        clean_in_parts(500)


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
    for again in (clean.main, lambda: clean_in_parts(500)):
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
