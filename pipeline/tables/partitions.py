"""The raw table in parts that workers read on their own: blocks of CSV files, row groups of Parquet files."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from pipeline.contract import paths
from pipeline.tables import csv_blocks, csv_checks, parquet, raw_table
from pipeline.tables.csv_blocks import Block
from pipeline.tables.sources import Source, is_csv, list_sources

# A function, its items and a label for the progress bar, to the results in the order of the items.
Mapper = Callable[[Callable[[Any], Any], Iterable[Any], str], list[Any]]

_BUFFER = 2**18  # bytes read ahead of each column; without, a row group is held as a whole


class Partition(NamedTuple):
    """`first`: the number of its first row in the whole table; `place`: the block, or the row group of a Parquet file;
    `columns`: the table's names, in the order of its first part."""

    source: Source
    first: int
    place: Block | int
    columns: tuple[str, ...]


def cut(mapped: Mapper, size: int, folder: Path = paths.RAW) -> list[Partition]:
    """The parts of the raw table in order, those of a CSV file of about `size` bytes.

    Raises PipelineError where a file is no table or the files differ in their columns.
    """
    sources = list_sources(folder)
    headers = mapped(column_names, sources, "raw: headers")
    raw_table.check_same_columns(headers, sources)
    csv = [source for source in sources if is_csv(source)]
    spans = [csv_blocks.spans(source, size) for source in csv]
    scans = iter(mapped(csv_blocks.scan, [span for each in spans for span in each], "raw: row ends"))
    found = {each[0].source: csv_blocks.blocks(each, [next(scans) for _ in each]) for each in spans}
    parts: list[Partition] = []
    first = 0
    for source in sources:
        make = partial(Partition, source, columns=tuple(headers[0]))
        if source in found:
            parts += [make(first + block.first, block) for block in found[source]]
            first += sum(block.rows for block in found[source])
        else:
            for group, rows in enumerate(_groups(source)):
                parts.append(make(first, group))
                first += rows
    return parts


def read(part: Partition) -> pd.DataFrame:
    """The part's cells, as `pipeline.tables.parquet.read_part` has them, indexed by the numbers of its rows."""
    if isinstance(part.place, Block):
        table: pd.DataFrame = csv_blocks.read(part.place).to_pandas()
    else:
        with parquet.open_raw(part.source) as file:
            table = file.read_row_group(part.place).to_pandas()
    return table[list(part.columns)].set_axis(pd.RangeIndex(part.first, part.first + len(table)), axis=0)


def batches(part: Partition, wanted: list[str], rows: int) -> Iterator[pd.DataFrame]:
    """The same for the columns `wanted`, `rows` rows at a time: a row group may be larger than memory."""
    first = part.first
    for table in _batches(part, wanted, rows):
        yield table.to_pandas().set_axis(pd.RangeIndex(first, first + table.num_rows), axis=0)
        first += table.num_rows


def _batches(part: Partition, wanted: list[str], rows: int) -> Iterator[pa.RecordBatch]:
    if isinstance(part.place, Block):
        yield from csv_blocks.read(part.place).select(wanted).combine_chunks().to_batches(rows)
        return
    with parquet.open_raw(part.source, _BUFFER) as file:
        yield from file.iter_batches(rows, [part.place], wanted)


def column_names(source: Source) -> list[str]:
    """The names of a file's columns; only its beginning, or its end, is read."""
    if is_csv(source):
        return [name.strip() for name in csv_checks.header(source)]
    with parquet.open_raw(source) as file:
        return list(file.schema_arrow.empty_table().to_pandas())  # without a stored index


def _groups(source: Source) -> list[int]:
    """The rows of each row group."""
    with parquet.open_raw(source) as file:
        return [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
