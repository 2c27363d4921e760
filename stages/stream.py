"""A table file, CSV or Parquet, a batch of rows at a time: memory does not grow with the rows."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from stages import csv_file
from stages.errors import PipelineError

_BUFFER = 2**16  # bytes read ahead of each column; without, a row group is held as a whole


def columns(path: Path) -> list[str]:
    """The names in the header.

    Raises PipelineError where the file is no table, as `read` does.
    """
    if path.suffix.lower() == ".csv":
        return csv_file.columns(path)
    with _parquet(path) as file:
        return list(file.schema_arrow.names)


def read(path: Path, wanted: list[str], rows: int) -> Iterator[pd.DataFrame]:
    """The columns `wanted` of the file, which has them: `rows` rows of a Parquet file at a time, about a megabyte of a
    CSV, whose cells stay text."""
    if path.suffix.lower() == ".csv":
        yield from (table.to_pandas() for table in csv_file.batches(path, wanted))
        return
    try:
        with _parquet(path) as file:
            # Group by group: one reader of all groups keeps something of each until the end.
            for group in range(file.num_row_groups):
                yield from (batch.to_pandas() for batch in file.iter_batches(rows, [group], wanted))
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(path, error) from None


def _parquet(path: Path) -> pa.parquet.ParquetFile:
    try:
        return pa.parquet.ParquetFile(path, buffer_size=_BUFFER)
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> PipelineError:
    reason = " ".join(str(error).split())
    return PipelineError(f"{path} is no readable Parquet file ({reason}): export it again or remove it")
