"""The raw table: its files read as they are, before the schema gives its cells a meaning."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from pipeline.contract.errors import PipelineError
from pipeline.contract.paths import RAW
from pipeline.tables import csv_reader, parquet
from pipeline.tables.sources import Source, is_csv, list_sources


def read(folder: Path = RAW) -> pd.DataFrame:
    """Return all files as one table; rows are numbered from 0 over the files, which are in the order of their names.

    Raises PipelineError where the files differ in their columns; their order may differ.
    """
    sources = list_sources(folder)
    frames = [read_part(source) for source in sources]
    check_same_columns([list(frame) for frame in frames], sources)
    return pd.concat(frames, ignore_index=True)


def read_part(source: Source) -> pd.DataFrame:
    """Return one file; the cells of a CSV file stay text. Raises PipelineError where the file is not a table."""
    if is_csv(source):
        table = pa.concat_tables(csv_reader.batches(source))
    else:
        with parquet.open_raw(source) as file:
            table = file.read(parquet.column_names(file))
    return parquet.raw_cells(table)


def column_names(source: Source) -> list[str]:
    """Return the names of a file's columns; only its beginning, or its end, is read."""
    if is_csv(source):
        return csv_reader.columns(source)
    with parquet.open_raw(source) as file:
        return parquet.column_names(file)


def check_same_columns(columns: list[list[str]], sources: list[Source]) -> None:
    """Raise PipelineError where a file has other columns than the first."""
    for source, names in zip(sources, columns, strict=True):
        if differing := sorted(set(map(str, names)) ^ set(map(str, columns[0]))):
            raise PipelineError(
                f"{source} and {sources[0]} must have the same columns; only one of them has {', '.join(differing)}"
            )
