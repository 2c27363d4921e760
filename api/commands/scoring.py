"""Rows of a table, typed or as text, to answers. Rows are refused as the server refuses them, but one by one."""

from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from tqdm import tqdm

from api.model import loader
from api.model.loader import Served
from api.requests.diagnostics import shortened
from api.requests.values import expected, limits
from api.settings import Settings
from pipeline.contract.column import Column
from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import OUTPUTS, Model
from pipeline.tables import cell_parser, cell_values, partitions
from pipeline.tables.feature_matrix import to_matrix
from pipeline.tables.partitions import Partition

WRITERS = {".csv": pa.csv.CSVWriter, ".parquet": pa.parquet.ParquetWriter}
# Features times rows that are scored at a time, for memory; but rows enough that a column costs little.
_CELLS, _FEWEST = 2**18, 2**12
_GROUP = 2**17  # rows of a row group of the result


class Job(NamedTuple):
    """Parts of a table and the file for their answers, CSV or Parquet by `suffix`. `key`: the id that names a row, else
    the column for its number. `path`, `md5`: of the model file."""

    parts: list[Partition]
    target: Path
    suffix: str
    key: Column
    path: Path
    md5: str
    quiet: bool


def score(rows: pd.DataFrame, scorer: Model) -> tuple[pd.DataFrame, Counter[str]]:
    """Return the model's answers to these rows, and how many rows were refused, by column and reason.

    Columns of the answers: `prediction`, `lower`, `upper` (float64, NaN where refused) and `error` (text, None where
    there is a prediction). A feature without a column is missing in all rows.
    """
    columns = scorer.description.columns
    typed, problems = cell_parser.parse(rows.reindex(columns=[c.name for c in columns]), tuple(map(_within, columns)))
    allowed = {column.name: expected(column) for column in columns}
    problems["reason"] = problems["reason"].str.replace("_", " ")
    error = pd.Series(None, index=rows.index, dtype=object)
    error[problems["row"]] = [
        f"{column}: {reason}{'' if reason == 'missing value' else f' {shortened(value)!r}'}; expected {allowed[column]}"
        for column, reason, value in problems[["column", "reason", "value"]].itertuples(index=False)
    ]
    refused = Counter(problems["column"] + " " + problems["reason"])
    valid = error.isna().to_numpy()
    answers = np.full((len(rows), len(OUTPUTS)), np.nan)
    answers[valid] = scorer.predict(to_matrix(typed[valid], columns))
    infinite = valid & ~np.isfinite(answers).all(axis=1)
    answers[infinite] = np.nan
    error[infinite] = "the model has no finite answer to these values"
    refused += Counter({"no finite answer": int(infinite.sum())})
    return pd.DataFrame(answers, rows.index, OUTPUTS).assign(error=error), refused


def run(job: Job) -> tuple[int, Counter[str]]:
    """Score the parts into the file; return the number of rows, and of refused ones by column and reason."""
    scorer = _served(job.path, job.md5).model
    wanted = {job.key.name, *(column.name for column in scorer.description.columns)}
    size = max(_FEWEST, _CELLS // len(wanted))
    kind = pa.int64() if job.key.dtype == "int" else pa.string()
    numbers = [(name, pa.float64()) for name in OUTPUTS]
    empty = pa.schema([(job.key.name, kind), *numbers, ("error", pa.string())]).empty_table()
    total, refused, waiting = 0, Counter[str](), [empty]
    with (
        WRITERS[job.suffix.lower()](job.target, empty.schema) as file,
        tqdm(unit=" rows", disable=True if job.quiet else None) as progress,
    ):
        for part in job.parts:
            for rows in partitions.batches(part, [name for name in part.columns if name in wanted], size):
                table, found = score(rows, scorer)
                keys = cell_values.convert(rows[job.key.name], job.key)[0] if job.key.role == "id" else rows.index
                table[job.key.name] = keys
                waiting.append(pa.Table.from_pandas(table, empty.schema, preserve_index=False))
                if sum(map(len, waiting)) >= _GROUP:
                    file.write_table(pa.concat_tables(waiting))
                    waiting = [empty]
                total += len(rows)
                refused += found
                progress.update(len(rows))
        file.write_table(pa.concat_tables(waiting))
    return total, refused


@lru_cache(maxsize=1)
def _served(path: Path, md5: str) -> Served:
    """Return the model, loaded once in a process; a worker checks its golden rows as a server does."""
    served = loader.load(path, Settings())
    if served.md5 != md5:
        raise PipelineError(f"{path} was changed while it was scored with: start again")
    return served


def _within(column: Column) -> Column:
    """Return the column with bounds that the model's matrix can hold, as the server checks them."""
    if column.dtype not in ("float", "int"):
        return column
    low, high = limits(column)
    return msgspec.structs.replace(column, min=low, max=high)
