"""Typed tables as Parquet: one file, or a folder of parts that Dask made."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from pipeline.contract.errors import PipelineError
from pipeline.tables.atomic_files import replacing
from pipeline.tables.sources import Source, open_source

_ROW_LABELS = r"__index_level_\d+__"
# With missing cells, pandas would make floats of whole numbers and objects of booleans.
_EXACT_TYPES = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype(), pa.bool_(): pd.BooleanDtype()}


def write(table: pd.DataFrame, path: Path) -> None:
    """Write the table whole or not at all."""
    with replacing(path) as partial:
        table.to_parquet(partial, index=False)


def write_parts(tables: Iterable[pd.DataFrame], path: Path) -> None:
    """Write tables with the same types as the row groups of one file, whole or not at all; the first may be empty."""
    parts = (pa.Table.from_pandas(table, preserve_index=False) for table in tables)
    first = next(parts)
    with replacing(path) as partial, pa.parquet.ParquetWriter(partial, first.schema) as file:
        for part in chain([first], parts):
            file.write_table(part)


def read(path: Path, columns: list[str] | None = None, numbers: np.ndarray | None = None) -> pd.DataFrame:
    """Read a typed table or one part of it: all `columns` or these, all rows or those with these `row` numbers.

    Raises PipelineError where it is missing or damaged.
    """
    found = []
    for part in parts(path):
        # read_table would import pyarrow.dataset, which is slow.
        with open_raw(part, remedy="run `dvc repro --force` to make it again") as file:
            table = file.read(columns=columns)
        found.append(table if numbers is None else table.filter(pc.is_in(table["row"], pa.array(numbers))))
    # A part without rows has no categories; unified, all parts have the same.
    frame: pd.DataFrame = pa.concat_tables(found).unify_dictionaries().to_pandas()
    return frame


def parts(path: Path) -> list[Path]:
    """Return the files of a typed table in order: the file itself, or those in the folder.

    Raises PipelineError where there is none.
    """
    found = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not found or not found[0].exists():
        raise PipelineError(f"{path} is missing: run `dvc repro` to make it")
    return found


def part_name(partition: int, batch: int = 0) -> str:
    """Return the file name of a part of a typed table; names sort as the partitions and batches of the raw table."""
    return f"part-{partition:05}-{batch:05}.parquet"


def count(path: Path) -> int:
    """Return the number of rows, from the files' metadata."""
    return sum(pa.parquet.read_metadata(part).num_rows for part in parts(path))


def digest(table: pd.DataFrame) -> str:
    """Return the sha256 in hex of the file that `write` would make of a table."""
    return hashlib.sha256(table.to_parquet(None, index=False)).hexdigest()


def column_names(file: pa.parquet.ParquetFile) -> list[str]:
    """Return the names of a raw file's columns: Arrow's, of which one may be an index to pandas; but no row labels that
    pandas stored without a name."""
    return [name for name in file.schema_arrow.names if not re.fullmatch(_ROW_LABELS, name)]


def raw_cells(table: pa.Table | pa.RecordBatch) -> pd.DataFrame:
    """Return the cells of raw columns; what pandas noted on its index is ignored, and integers stay exact."""
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, types_mapper=_EXACT_TYPES.get)
    return frame


@contextmanager
def open_raw(source: Source, buffer: int = 0, remedy: str = "replace the raw file") -> Iterator[pa.parquet.ParquetFile]:
    """Open a Parquet file; `buffer` bytes of a column are read at a time, or a whole row group with 0.

    Raises PipelineError, which ends with the `remedy`, where it is not Parquet, also while the block reads it.
    """
    if isinstance(source, Path) and source.exists() and not source.stat().st_size:
        raise PipelineError(f"{source} is empty: {remedy}")
    # Arrow opens a local file itself: a thread of Arrow that still holds a file of Python at exit aborts the process.
    opening = nullcontext(source) if isinstance(source, Path) else open_source(source)
    try:
        with opening as opened, pa.parquet.ParquetFile(opened, buffer_size=buffer) as file:
            yield file
    except (pa.ArrowInvalid, OSError) as error:
        raise PipelineError(
            f"{source} is no readable Parquet file ({' '.join(str(error).split())}): {remedy}"
        ) from None
