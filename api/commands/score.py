"""Score a whole table: stream it through a model file. Runs in the pipeline's environment, not in the server's.

    python -m api.commands.score houses.parquet prices.csv

IN is a file, or a folder of parts, which are one table in the order of their names. OUT has one row for each row of IN:
the schema's id (else `row`, counted from 0), `prediction`, `lower`, `upper`, and `error`, the reason where there is no
prediction. Rows are refused as POST /predict refuses them; columns that are no features are ignored. With `--engine
dask` OUT is a folder of parts.
"""

import argparse
import sys
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import msgspec

from api import settings
from api.commands import scoring
from api.commands.scoring import Job
from api.model import loader
from api.model.loader import Served
from pipeline.contract import errors, params
from pipeline.contract.column import Column
from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import OUTPUTS, Model
from pipeline.contract.wording import counted
from pipeline.contract.yaml_config import nearest
from pipeline.distributed import executor
from pipeline.distributed.executor import Executor
from pipeline.tables import partitions
from pipeline.tables.atomic_files import replacing

_REASONS = 5  # that a message lists


def run(source: Path, target: Path, served: Served, workers: Executor) -> tuple[int, Counter[str]]:
    """Score the table at `source` into `target`; return the number of rows, and of refused ones by column and reason.

    Raises PipelineError, and leaves `target` as it was, where the source is no table for this model or no row of it
    could be scored.
    """
    _check_place(source, target)
    parts = partitions.list_partitions(workers.map, source)
    key = _key(list(parts[0].columns), served.model)
    with replacing(target) as partial:
        whole = Job(parts, partial, target.suffix, key, served.path, served.md5, quiet=workers.client is not None)
        if workers.client is None:
            found = [scoring.run(whole)]
        else:
            partial.mkdir()
            files = (partial / f"part-{number:05}{target.suffix}" for number in range(len(parts)))
            jobs = [whole._replace(parts=[part], target=file) for part, file in zip(parts, files, strict=True)]
            found = workers.map(scoring.run, jobs, "score")
        total = sum(rows for rows, _ in found)
        refused = sum((counted for _, counted in found), Counter[str]())
        if refused.total() == total:
            raise PipelineError(f"{source}: none of its {total} rows could be scored{_listed(refused)}")
    return total, refused


def _check_place(source: Path, target: Path) -> None:
    if target.suffix.lower() not in scoring.WRITERS:
        raise PipelineError(f"{target}: expected a name that ends in .csv or .parquet")
    if target.resolve() == source.resolve() or source.resolve() in target.resolve().parents:
        raise PipelineError(f"{target} would be read as a part of {source} the next time: write it elsewhere")


def _key(names: list[str], scorer: Model) -> Column:
    """Return the column that names a row: the schema's id where the table has it, else its number.

    Raises PipelineError where the table lacks a feature that may not be missing; names those that may on stderr.
    """
    absent = [column for column in scorer.description.columns if column.name not in names]
    shown = {column.name: f"{column.name}{nearest(column.name, names)}" for column in absent}
    if required := [shown[column.name] for column in absent if not column.nullable]:
        raise PipelineError(
            f"the table has no column {', '.join(required)}, which {scorer.name} needs; it has {', '.join(names)}"
        )
    if absent:
        print(f"the table has no column {', '.join(shown.values())}: missing in all rows", file=sys.stderr)
    for column in scorer.description.schema.with_role("id"):
        if column.name in names and column.name not in (*OUTPUTS, "error"):
            return column
    return Column("row", "int")


def _listed(refused: Counter[str]) -> str:
    """Return the most frequent reasons as text."""
    shown = ", ".join(f"{reason} {count}" for reason, count in refused.most_common(_REASONS))
    return f": {shown}{', ...' if len(refused) > _REASONS else ''}" if refused else ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m api.commands.score", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, metavar="IN", help="a .csv, .parquet or .urls file, or a folder of them")
    parser.add_argument("target", type=Path, metavar="OUT", help="the .csv or .parquet file (dask: folder) to write")
    parser.add_argument("--model", type=Path, metavar="FILE", help="a model file (default: the server's)")
    parser.add_argument("--engine", choices=("pandas", "dask"), default="pandas", help="default: pandas")
    arguments = parser.parse_args()
    chosen = settings.load()
    served = loader.load(arguments.model or loader.find(chosen), chosen)
    started: AbstractContextManager[Executor] = nullcontext(Executor())
    if arguments.engine == "dask":
        started = executor.start(msgspec.structs.replace(params.load(params.Engine), name="dask"))
    with started as workers:
        total, refused = run(arguments.source, arguments.target, served, workers)
    print(f"{arguments.target}: {counted(total, 'row')} by {loader.summary(served)}", file=sys.stderr)
    print(f"{refused.total()} with an error{_listed(refused)}", file=sys.stderr)


if __name__ == "__main__":
    errors.run_command(main)
