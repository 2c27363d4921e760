"""Tables in and out: raw parts as text cells, typed tables as Parquet."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from stages import csv_file
from stages.errors import PipelineError
from stages.files import replacing

RAW = Path("data/raw")


def raw_parts(folder: Path = RAW) -> list[Path]:
    """The parts of the raw table in the order of their names."""
    parts = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".csv", ".parquet"))
    if not parts:
        raise PipelineError(f"{folder} holds no .csv or .parquet file: put the raw table there")
    return parts


def read_part(path: Path) -> pd.DataFrame:
    """One raw part; the cells of a CSV stay text, for only the schema knows what they should be.

    Raises PipelineError where the file is no table.
    """
    table = csv_file.read(path) if path.suffix.lower() == ".csv" else _read_parquet(path, "replace the raw file")
    frame: pd.DataFrame = table.to_pandas()
    return frame


def read_raw(folder: Path = RAW) -> pd.DataFrame:
    """All parts as one table, rows numbered from 0 over the parts in the order of their names.

    Raises PipelineError where the parts differ in their columns; their order does not matter.
    """
    parts = raw_parts(folder)
    tables = [read_part(part) for part in parts]
    for part, table in zip(parts, tables, strict=True):
        if differing := sorted(set(map(str, table)) ^ set(map(str, tables[0]))):
            raise PipelineError(
                f"{part} and {parts[0]} must have the same columns, but {', '.join(differing)} is in one of them only"
            )
    return pd.concat(tables, ignore_index=True)


def write(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as partial:
        table.to_parquet(partial, index=False)


def read(path: Path) -> pd.DataFrame:
    """A typed table that a stage wrote."""
    if not path.exists():
        raise PipelineError(f"{path} is missing: run `dvc repro` to make it")
    frame: pd.DataFrame = _read_parquet(path, "run `dvc repro --force` to make it again").to_pandas()
    return frame


def _read_parquet(path: Path, way_out: str) -> pa.Table:
    try:
        return pa.parquet.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise PipelineError(f"{path} is no readable Parquet file ({' '.join(str(error).split())}): {way_out}") from None
