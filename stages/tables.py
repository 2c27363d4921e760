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


def read(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """A typed table that a stage wrote, or one part of it."""
    again = "run `dvc repro --force` to make it again"
    frames = [_read_parquet(part, again, columns).to_pandas() for part in parts(path)]
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def count(path: Path) -> int:
    """The rows of a typed table, without reading them."""
    return sum(pa.parquet.read_metadata(part).num_rows for part in parts(path))


def _read_parquet(path: Path, way_out: str, columns: list[str] | None = None) -> pa.Table:
    try:
        return pa.parquet.read_table(path, columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise PipelineError(f"{path} is no readable Parquet file ({' '.join(str(error).split())}): {way_out}") from None
