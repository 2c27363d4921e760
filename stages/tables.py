"""Tables in and out: raw parts as text cells, typed tables as Parquet."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from stages.errors import PipelineError
from stages.files import replacing

RAW = Path("data/raw")
_PARSE = pa.csv.ParseOptions(newlines_in_values=True)


def raw_parts(folder: Path = RAW) -> list[Path]:
    """The parts of the raw table in the order of their names."""
    parts = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".csv", ".parquet"))
    if not parts:
        raise PipelineError(f"{folder} holds no .csv or .parquet file: put the raw table there")
    return parts


def read_part(path: Path) -> pd.DataFrame:
    """One raw part; the cells of a CSV stay text, for only the schema knows what they should be.

    Raises PipelineError where the file is no table: ragged rows, bytes that are not UTF-8, a header that repeats.
    """
    try:
        table = _read_csv(path) if path.suffix.lower() == ".csv" else pa.parquet.read_table(path)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise PipelineError(f"{path} cannot be read as {path.suffix[1:].upper()}: {error}") from None
    names = table.column_names
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise PipelineError(f"{path}: the header names {', '.join(repeated)} more than once; rename or remove one")
    frame: pd.DataFrame = table.to_pandas()
    return frame


def read_raw(folder: Path = RAW) -> pd.DataFrame:
    """All parts as one table, rows numbered from 0 over the parts in the order of their names."""
    parts = raw_parts(folder)
    tables = [read_part(part) for part in parts]
    for part, table in zip(parts, tables, strict=True):
        if differing := sorted(set(table) ^ set(tables[0])):
            raise PipelineError(
                f"{part} and {parts[0]} must have the same columns, but {', '.join(differing)} is in one of them only"
            )
    return pd.concat(tables, ignore_index=True)


def write(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as partial:
        table.to_parquet(partial, index=False)


def read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise PipelineError(f"{path} is missing: run `dvc repro` to make it") from None
    except pa.ArrowInvalid as error:
        raise PipelineError(f"{path} is no Parquet file ({error}): run `dvc repro --force` to make it again") from None


def _read_csv(path: Path) -> pa.Table:
    with pa.csv.open_csv(path, parse_options=_PARSE) as reader:
        names = reader.schema.names
    # Cells are read as text: a column that looks like numbers in its first rows must not decide for the rest.
    text = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    return pa.csv.read_csv(path, parse_options=_PARSE, convert_options=text)
