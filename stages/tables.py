"""Tables in and out: raw parts as text cells, typed tables as Parquet."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from stages import csv_file
from stages.csv_file import Source
from stages.errors import PipelineError
from stages.files import replacing

RAW = Path("data/raw")


def raw_parts(folder: Path = RAW) -> list[Source]:
    """The parts of the raw table in the order of their names; a file `.urls` stands for those that it names, one URL a
    line, which fsspec reads. A file in place of the folder is its only one."""
    found = folder.glob("*") if folder.is_dir() else [folder]
    files = sorted(path for path in found if path.suffix.lower() in (".csv", ".parquet", ".urls"))
    parts: list[Source] = [
        part for path in files for part in (_urls(path) if path.suffix.lower() == ".urls" else [path])
    ]
    if not parts:
        raise PipelineError(f"{folder} holds no .csv or .parquet file: put the raw table there")
    return parts


def is_csv(part: Source) -> bool:
    return str(part).lower().endswith(".csv")


def read_part(part: Source) -> pd.DataFrame:
    """One raw part; the cells of a CSV stay text, for only the schema knows what they should be.

    Raises PipelineError where the file is no table.
    """
    if is_csv(part):
        frame: pd.DataFrame = csv_file.read(part).to_pandas()
        return frame
    with parquet(part, "replace the raw file") as file:
        whole: pd.DataFrame = file.read().to_pandas()
        return whole


def read_raw(folder: Path = RAW) -> pd.DataFrame:
    """All parts as one table, rows numbered from 0 over the parts in the order of their names.

    Raises PipelineError where the parts differ in their columns; their order does not matter.
    """
    sources = raw_parts(folder)
    frames = [read_part(source) for source in sources]
    check_same([list(frame) for frame in frames], sources)
    return pd.concat(frames, ignore_index=True)


def check_same(columns: list[list[str]], sources: list[Source]) -> None:
    """Raises PipelineError where parts have other columns than the first."""
    for source, names in zip(sources, columns, strict=True):
        if differing := sorted(set(map(str, names)) ^ set(map(str, columns[0]))):
            raise PipelineError(
                f"{source} and {sources[0]} must have the same columns, but {', '.join(differing)} is in one of them "
                "only"
            )


@contextmanager
def parquet(source: Source, way_out: str, buffer: int = 0) -> Iterator[pa.parquet.ParquetFile]:
    """A Parquet file to read from; `buffer` bytes of a column at a time, or with 0 all of a row group.

    Raises PipelineError where it is none, also while it is read.
    """
    try:
        with csv_file.opened(source) as opened, pa.parquet.ParquetFile(opened, buffer_size=buffer) as file:
            yield file
    except (pa.ArrowInvalid, OSError) as error:
        raise PipelineError(
            f"{source} is no readable Parquet file ({' '.join(str(error).split())}): {way_out}"
        ) from None


def _urls(path: Path) -> list[Source]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    urls: list[Source] = [line for line in lines if line and not line.startswith("#")]
    for url in urls:
        if not re.match(r"[a-z0-9+]+://.+\.(csv|parquet)$", str(url), re.IGNORECASE):
            raise PipelineError(f"{path}: {url} is no URL of a .csv or .parquet file, such as s3://bucket/part.csv")
    return urls


def write(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as partial:
        table.to_parquet(partial, index=False)


def digest(table: pd.DataFrame) -> str:
    """The sha256, in hex, of the file that `write` makes of a table."""
    return hashlib.sha256(table.to_parquet(None, index=False)).hexdigest()


def parts(path: Path) -> list[Path]:
    """The files of a typed table that a stage wrote, in order: one file, or those in a folder.

    Raises PipelineError where there is none.
    """
    found = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not found or not found[0].exists():
        raise PipelineError(f"{path} is missing: run `dvc repro` to make it")
    return found


def part_name(number: int) -> str:
    """The file of the part of that number in the folder of a typed table."""
    return f"part-{number:05}.parquet"


def read(path: Path, columns: list[str] | None = None, numbers: np.ndarray | None = None) -> pd.DataFrame:
    """A typed table that a stage wrote, or one part of it: these columns, of the rows of these numbers."""
    found = []
    for part in parts(path):
        table = _read_parquet(part, "run `dvc repro --force` to make it again", columns)
        found.append(table if numbers is None else table.filter(pc.is_in(table["row"], pa.array(numbers))))
    # A part without rows knows no categories: those of all parts together are the column's.
    frame: pd.DataFrame = pa.concat_tables(found).unify_dictionaries().to_pandas()
    return frame


def count(path: Path) -> int:
    """The rows of a typed table, without reading them."""
    return sum(pa.parquet.read_metadata(part).num_rows for part in parts(path))


def _read_parquet(path: Path, way_out: str, columns: list[str] | None = None) -> pa.Table:
    try:
        # Not by read_table, which first imports all of pyarrow.dataset.
        with pa.parquet.ParquetFile(path) as file:
            return file.read(columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise PipelineError(f"{path} is no readable Parquet file ({' '.join(str(error).split())}): {way_out}") from None
