"""Score a whole table: stream it through a model file. Runs in the pipeline's environment, not in the server's.

    python -m api.score houses.parquet prices.csv

IN is a file or a folder of parts, which are one table in the order of their names; OUT has a row for each of its rows:
the schema's id (else `row`, counted from 0), `prediction`, `lower`, `upper`, and `error`, the reason where there is no
prediction. A row is refused as POST /predict would refuse it; columns that are no features are not looked at.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from tqdm import tqdm

from api import model, scoring, settings
from stages import cells, errors, stream
from stages.config import nearest
from stages.errors import PipelineError
from stages.files import replacing
from stages.onnx_file import OUTPUTS, Model
from stages.schema import Column

_CELLS = 2**18  # features times rows of a batch of Parquet: memory does not grow with the columns either
_GROUP = 2**17  # rows of a row group of OUT
_REASONS = 5  # that a message lists
_WRITERS = {".csv": pa.csv.CSVWriter, ".parquet": pa.parquet.ParquetWriter}


class Scores(NamedTuple):
    rows: int
    refused: Counter[str]


def run(source: Path, target: Path, scorer: Model) -> Scores:
    """Score the table at `source` into the file `target`.

    Raises PipelineError, and leaves `target` as it was, where the source is no table for this model or no row of it
    could be scored.
    """
    parts = _parts(source, target)
    found = {part: stream.columns(part) for part in parts}
    _check(found, scorer)
    key = _key(found, scorer)
    total, refused = 0, Counter[str]()
    with replacing(target) as partial, _writer(target, partial, key) as write, tqdm(unit=" rows", disable=None) as bar:
        for part in parts:
            for rows in _batches(part, found[part], key, scorer):
                rows.index = pd.RangeIndex(total, total + len(rows))
                scored = scoring.score(rows, scorer)
                write(scored.table.assign(**{key.name: _keys(rows, key)}))
                total += len(rows)
                refused += scored.refused
                bar.update(len(rows))
        if refused.total() == total:
            raise PipelineError(f"{source}: none of its {total} rows could be scored{_listed(refused)}")
    return Scores(total, refused)


def _parts(source: Path, target: Path) -> list[Path]:
    if target.suffix.lower() not in _WRITERS:
        raise PipelineError(
            f"{target}: expected a name that ends in .csv or .parquet, found {target.suffix or 'none'!r}"
        )
    if target.resolve() == source.resolve() or source.resolve() in target.resolve().parents:
        raise PipelineError(f"{target} would be taken for a part of {source} the next time: write it elsewhere")
    if not source.is_dir():
        parts = [source]
    elif not (parts := sorted(path for path in source.glob("*") if path.suffix.lower() in _WRITERS)):
        raise PipelineError(f"{source} holds no .csv or .parquet file")
    return parts


def _check(found: dict[Path, list[str]], scorer: Model) -> None:
    for part, names in found.items():
        absent = [column for column in scorer.description.columns if column.name not in names]
        if required := [f"{column.name}{nearest(column.name, names)}" for column in absent if not column.nullable]:
            raise PipelineError(
                f"{part} has no column {', '.join(required)}, which {scorer.name} needs; it has {', '.join(names)}"
            )
        if absent:
            shown = ", ".join(f"{column.name}{nearest(column.name, names)}" for column in absent)
            print(f"{part} has no column {shown}: missing in all its rows", file=sys.stderr)


def _key(found: dict[Path, list[str]], scorer: Model) -> Column:
    """What names a row: the schema's id where every part has it, else its number."""
    for column in scorer.description.schema.with_role("id"):
        if all(column.name in names for names in found.values()) and column.name not in (*OUTPUTS, "error"):
            return column
    return Column("row", "int")


def _keys(rows: pd.DataFrame, key: Column) -> pd.Series | pd.Index:
    return cells.convert(rows[key.name], key)[0] if key.role == "id" else rows.index


def _batches(part: Path, names: list[str], key: Column, scorer: Model) -> Iterator[pd.DataFrame]:
    wanted = {column.name for column in (key, *scorer.description.columns)}
    return stream.read(part, [name for name in names if name in wanted], max(1, _CELLS // len(wanted)))


@contextmanager
def _writer(target: Path, partial: Path, key: Column) -> Iterator[Callable[[pd.DataFrame], None]]:
    """A function that appends rows to the file, in row groups that do not depend on the batches."""
    kind = pa.int64() if key.dtype == "int" else pa.string()
    numbers = [(name, pa.float64()) for name in OUTPUTS]
    form = pa.schema([(key.name, kind), *numbers, ("error", pa.string())])
    with _WRITERS[target.suffix.lower()](partial, form) as file:
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


def _listed(refused: Counter[str]) -> str:
    """The most frequent reasons, for people."""
    shown = ", ".join(f"{reason} {count}" for reason, count in refused.most_common(_REASONS))
    return f": {shown}{', ...' if len(refused) > _REASONS else ''}" if refused else ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m api.score", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, metavar="IN", help="a .csv or .parquet file, or a folder of such parts")
    parser.add_argument("target", type=Path, metavar="OUT", help="the .csv or .parquet file to write")
    parser.add_argument("--model", type=Path, metavar="FILE", help="a model file (default: the server's)")
    arguments = parser.parse_args()
    chosen = settings.load()
    served = model.load(arguments.model or model.find(chosen), chosen)
    scores = run(arguments.source, arguments.target, served.model)
    print(f"{arguments.target}: {scores.rows} rows by {model.summary(served)}", file=sys.stderr)
    print(f"{scores.refused.total()} with an error{_listed(scores.refused)}", file=sys.stderr)


if __name__ == "__main__":
    errors.run(main)
