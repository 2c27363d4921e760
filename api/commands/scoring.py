"""Rows of a table, typed or as text, to answers: refused as the server refuses them, but one by one."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from tqdm import tqdm

from api.model import loader
from api.model.loader import Served
from api.requests.values import expected, limits
from api.settings import Settings
from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import OUTPUTS, Model
from pipeline.contract.schema import Column
from pipeline.tables import cell_parser, cell_values, partitions
from pipeline.tables.feature_matrix import to_matrix
from pipeline.tables.partitions import Partition

WRITERS = {".csv": pa.csv.CSVWriter, ".parquet": pa.parquet.ParquetWriter}
# Features times rows that are scored at a time, for memory; but rows enough that a column costs little.
_CELLS, _FEWEST = 2**18, 2**12
_GROUP = 2**17  # rows of a row group of the result
_LONGEST = 100  # characters of a value that an error repeats


class Scored(NamedTuple):
    """`table`: `prediction`, `lower`, `upper` (float64, NaN where there is none), `error` (text, None where there is a
    prediction), with the index of the rows. `refused`: how many rows, by column and reason."""

    table: pd.DataFrame
    refused: Counter[str]


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


def score(rows: pd.DataFrame, scorer: Model) -> Scored:
    """The model's answers to these rows; a feature without a column is missing in all of them."""
    columns = scorer.description.columns
    typed, problems = cell_parser.parse(rows.reindex(columns=[c.name for c in columns]), tuple(map(_within, columns)))
    wanted = {column.name: expected(column) for column in columns}
    error = pd.Series(None, index=rows.index, dtype=object)
    error[problems["row"]] = [
        f"{line.column}: {line.reason.replace('_', ' ')}{_shown(line)}; expected {wanted[line.column]}"
        for line in problems.itertuples()
    ]
    refused = Counter([f"{line.column} {line.reason.replace('_', ' ')}" for line in problems.itertuples()])
    right = error.isna().to_numpy()
    answers = np.full((len(rows), len(OUTPUTS)), np.nan)
    answers[right] = scorer.predict(to_matrix(typed[right], columns))
    infinite = right & ~np.isfinite(answers).all(axis=1)
    answers[infinite] = np.nan
    error[infinite] = "the model has no finite answer to these values"
    refused += Counter({"no finite answer": int(infinite.sum())})
    return Scored(pd.DataFrame(answers, rows.index, OUTPUTS).assign(error=error), refused)


def run(job: Job) -> tuple[int, Counter[str]]:
    """Score the parts into the file; how many rows there were, and how many were refused by column and reason."""
    scorer = _served(job.path, job.md5).model
    wanted = {job.key.name, *(column.name for column in scorer.description.columns)}
    size = max(_FEWEST, _CELLS // len(wanted))
    total, refused = 0, Counter[str]()
    with _writer(job) as write, tqdm(unit=" rows", disable=True if job.quiet else None) as progress:
        for part in job.parts:
            for rows in partitions.batches(part, [name for name in part.columns if name in wanted], size):
                scored = score(rows, scorer)
                keys = cell_values.convert(rows[job.key.name], job.key)[0] if job.key.role == "id" else rows.index
                write(scored.table.assign(**{job.key.name: keys}))
                total += len(rows)
                refused += scored.refused
                progress.update(len(rows))
    return total, refused


@lru_cache(maxsize=1)
def _served(path: Path, md5: str) -> Served:
    """The model, once in a process; a worker checks its golden rows as a server does."""
    served = loader.load(path, Settings())
    if served.md5 != md5:
        raise PipelineError(f"{path} was changed while it was scored with: start again")
    return served


@contextmanager
def _writer(job: Job) -> Iterator[Callable[[pd.DataFrame], None]]:
    """A function that appends rows to the file."""
    kind = pa.int64() if job.key.dtype == "int" else pa.string()
    numbers = [(name, pa.float64()) for name in OUTPUTS]
    form = pa.schema([(job.key.name, kind), *numbers, ("error", pa.string())])
    with WRITERS[job.suffix.lower()](job.target, form) as file:
        waiting: list[pa.Table] = []

        def write(rows: pd.DataFrame) -> None:
            waiting.append(pa.Table.from_pandas(rows, form, preserve_index=False))
            if sum(map(len, waiting)) >= _GROUP:
                flush()

        def flush() -> None:
            file.write_table(pa.concat_tables(waiting or [form.empty_table()]))
            waiting.clear()

        yield write
        flush()


def _within(column: Column) -> Column:
    """The column with bounds that the model's matrix can hold, as the server checks them."""
    if column.dtype not in ("float", "int"):
        return column
    low, high = limits(column)
    return msgspec.structs.replace(column, min=low, max=high)


def _shown(problem: Any) -> str:
    text = problem.value if len(problem.value) <= _LONGEST else f"{problem.value[:_LONGEST]}..."
    return "" if problem.reason == "missing_value" else f" {text!r}"
