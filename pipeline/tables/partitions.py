"""The raw table in partitions, one for each task: a CSV file, or a row group of a Parquet file.

A partition may be larger than memory: it is read in batches.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.tables import csv_reader, parquet, raw_table
from pipeline.tables.sources import Source, is_csv, list_sources

# (function, items, label of the progress bar) to the results in the order of the items.
Mapper = Callable[[Callable[[Any], Any], Iterable[Any], str], list[Any]]

_BUFFER = 2**18  # bytes that are read ahead of each Parquet column; 0 would hold a whole row group


class Partition(NamedTuple):
    """`first`: the number of its first row in the whole table. `group`: the row group; None for a CSV file.
    `columns`: the table's names, in the order of its first file."""

    source: Source
    first: int
    group: int | None
    columns: tuple[str, ...]


def list_partitions(mapped: Mapper, folder: Path = paths.RAW) -> list[Partition]:
    """Return the partitions of the raw table in order.

    Raises PipelineError where a file is no table, the files differ in their columns, or there is no row group.
    """
    sources = list_sources(folder)
    headers = mapped(raw_table.column_names, sources, "raw: headers")
    raw_table.check_same_columns(headers, sources)
    # Rows are numbered over all files, so each CSV file but the last has to be read and counted before the next.
    counted = mapped(_count_rows, sources[:-1], "raw: row counts")
    counted.append([0] if is_csv(sources[-1]) else _count_rows(sources[-1]))
    columns, partitions, first = tuple(headers[0]), [], 0
    for source, counts in zip(sources, counted, strict=True):
        for group, rows in enumerate(counts):
            partitions.append(Partition(source, first, None if is_csv(source) else group, columns))
            first += rows
    if not partitions:
        raise PipelineError(f"{folder} has no rows: put the raw table there")
    return partitions


def batches(partition: Partition, wanted: Iterable[str], rows: int) -> Iterator[pd.DataFrame]:
    """Yield the columns `wanted`, about `rows` rows at a time and at least one batch.

    Cells are those of `raw_table.read_part`; the index numbers the rows in the whole table.
    """
    first, columns = partition.first, list(wanted)
    for table in _tables(partition, columns, rows):
        yield parquet.raw_cells(table).set_axis(pd.RangeIndex(first, first + table.num_rows), axis=0)
        first += table.num_rows


def _tables(partition: Partition, columns: list[str], rows: int) -> Iterator[pa.Table | pa.RecordBatch]:
    if partition.group is None:
        yield from _joined(csv_reader.batches(partition.source, columns), columns, rows)
        return
    with parquet.open_raw(partition.source, _BUFFER) as file:
        yield from file.iter_batches(rows, [partition.group], columns)


def _joined(tables: Iterable[pa.Table], columns: list[str], rows: int) -> Iterator[pa.Table]:
    """Join small tables to some of at least `rows` rows."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table.select(columns))
        if sum(map(len, waiting)) >= rows:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _count_rows(source: Source) -> list[int]:
    """Return the number of rows of each partition of a file."""
    if is_csv(source):
        return [sum(map(len, csv_reader.batches(source, csv_reader.columns(source)[:1])))]
    with parquet.open_raw(source) as file:
        return [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
