"""Live rows in batches, from a folder or a table, and their moments; memory does not grow with the rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.contract.column import Column
from pipeline.contract.errors import PipelineError
from pipeline.contract.schema import Schema
from pipeline.contract.wording import counted
from pipeline.tables import cell_values, csv_reader, parquet
from pipeline.tables.sources import is_csv, table_files

BATCH = 2**16  # rows
# The columns of a row's arrival in the prediction log. They come before its own time, which may lie before rows that
# were judged already.
ARRIVAL = ("prediction_time", "time")
REMEDY = "export it again or remove it"


@dataclass(frozen=True)
class Live:
    """A table that can be read repeatedly. Every batch has the `columns`, with the cells as found (text of a CSV);
    the features that no file has are `absent`, and their cells missing."""

    columns: tuple[str, ...]
    batches: Callable[[], Iterator[pd.DataFrame]]
    absent: frozenset[str] = frozenset()


def of_table(table: pd.DataFrame) -> Live:
    """Return the rows of a table in batches."""
    starts = range(0, len(table), BATCH)
    return Live(tuple(map(str, table)), lambda: (table.iloc[start : start + BATCH] for start in starts))


def of_folder(folder: Path, schema: Schema, also: tuple[str, ...] = ()) -> Live:
    """Return the rows of a folder's CSV and Parquet files, in the order of their names, with the columns that drift
    reads and those of `also`.

    A column that a file lacks is missing in its rows. Raises PipelineError where a file is not a table, where some
    files have a time and others do not, and where a cell holds a list.
    """
    found = {path: _columns(path) for path in table_files(folder)}
    features = [column.name for column in schema.features] if found else []
    wanted = {*(c.name for c in schema.used), "prediction", *ARRIVAL, *also}
    every = dict.fromkeys([*(name for names in found.values() for name in names), *features])
    columns = tuple(name for name in every if name in wanted)
    absent = frozenset(columns).difference(*found.values())
    if time := time_column(columns, schema, absent):
        for path, names in found.items():
            if time.name not in names:
                raise PipelineError(f"{path} has no column {time.name}, which other files in {folder} have: add it")

    def batches() -> Iterator[pd.DataFrame]:
        for path, names in found.items():
            for batch in _batches(path, [name for name in columns if name in names]):
                yield batch.reindex(columns=list(columns))

    return Live(columns, batches, absent)


def time_column(columns: tuple[str, ...], schema: Schema, absent: frozenset[str] = frozenset()) -> Column | None:
    """Return the column that puts live rows in order: the arrival in the prediction log, else the schema's time where
    it is not `absent`."""
    names = {column.name for column in schema.columns}
    arrival = [Column(name, "category", role="time") for name in ARRIVAL if name not in names]
    present = {*columns} - absent
    return next((column for column in (*arrival, *schema.with_role("time")) if column.name in present), None)


class Moments(NamedTuple):
    """`values` [rows]: datetime64[us] in UTC, or float64 for a time that is a number; NaT or NaN where there is none.
    `fault`: the column and the first cell that is no time, for people; empty where all cells can be read."""

    values: np.ndarray
    fault: str


def moments(live: Live, column: Column) -> Moments:
    """Return the moment of each row. Raises PipelineError where some files hold numbers and others dates."""
    parts, count, example = [], 0, ""
    for batch in live.batches():
        values, strange = _moments(batch[column.name], column)
        parts.append(values)
        if strange.any():
            example = example or str(batch[column.name][strange].iloc[0])
            count += int(strange.sum())
    if len({part.dtype for part in parts}) > 1:
        raise PipelineError(f"column {column.name} of the live rows holds numbers in some files and dates in others")
    unread = f"{counted(count, 'cell')} cannot be read as a time, such as {example!r}"
    fault = f"{column.name}: {unread}; all rows are judged without it"
    return Moments(np.concatenate(parts) if parts else np.empty(0), fault if count else "")


def shown(moment: np.datetime64 | np.float64) -> str:
    """Format a moment for people: ISO 8601 in UTC, or the number."""
    return f"{moment:.10g}" if isinstance(moment, np.floating) else f"{pd.Timestamp(moment):%Y-%m-%dT%H:%M:%SZ}"


def _moments(values: pd.Series, column: Column) -> tuple[np.ndarray, np.ndarray]:
    """Return the moments of a batch, and a mask [rows] of the cells that are no time."""
    strange = np.zeros(len(values), dtype=bool)
    is_time = pd.api.types.is_datetime64_any_dtype(values.dtype)
    if column.dtype != "category" or not (is_time or pd.api.types.is_numeric_dtype(values.dtype)):
        values, strange = cell_values.convert(values, column)
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.to_numpy(float, na_value=np.nan), strange
    return pd.to_datetime(values, utc=True).dt.as_unit("us").dt.tz_convert(None).to_numpy(), strange


def _columns(path: Path) -> list[str]:
    if is_csv(path):
        return csv_reader.columns(path)
    with parquet.open_raw(path, remedy=REMEDY) as file:
        return parquet.column_names(file)


def _batches(path: Path, columns: list[str]) -> Iterator[pd.DataFrame]:
    if is_csv(path):
        yield from (parquet.raw_cells(table) for table in csv_reader.batches(path, columns))
        return
    with parquet.open_raw(path, remedy=REMEDY) as file:
        for name in columns:
            if pa.types.is_nested(kind := file.schema_arrow.field(name).type):
                raise PipelineError(f"{path}: column {name} holds {kind}, expected one value a row: export it again")
        yield from (parquet.raw_cells(batch) for batch in file.iter_batches(BATCH, columns=columns))
