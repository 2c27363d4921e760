"""Export logged predictions as live rows for the drift check. Runs in the pipeline's environment, not in the server's.

Reads the log at PREDICTION_LOG_URL and data/schema.yaml; writes predictions.parquet into LIVE_URL: data/live, another
folder, or any URL that fsspec knows. The file replaces the last export, so that no row is there twice. By default it
begins with the champion: the drift that brought a new model is no reason for another one.

    python -m api.commands.export --since 2026-11-01 --until 2026-12-01
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from fsspec.implementations.local import LocalFileSystem

from api import settings
from api.prediction_log import queries
from api.prediction_log.database import existing
from api.prediction_log.queries import Logged
from api.prediction_log.schema import now
from pipeline.contract import errors, paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.schema import Schema
from pipeline.contract.schema import load as load_schema
from pipeline.contract.wording import counted
from pipeline.drift import live_folder
from pipeline.registry import git
from pipeline.tables import cell_parser, parquet

BEGINNING = "1970-01-01"
_CHUNK = 2**16  # rows that are typed at a time
_encode = json.JSONEncoder(ensure_ascii=False).encode


def live_rows(logged: Iterable[Logged], schema: Schema) -> Iterator[pd.DataFrame]:
    """Yield a table without rows, then one typed row for each logged prediction, in tables of at most _CHUNK rows.

    The columns: the schema's as they were sent (missing ones missing), the target where there is feedback,
    `prediction_id`, `prediction_time`, `prediction_model`, `prediction`, and in `feedback_key` the name of the API key
    that told the target, missing without one.
    """
    rows = iter(logged)
    chunk: list[Logged] = []
    yield _typed(chunk, schema)
    while chunk := list(islice(rows, _CHUNK)):
        yield _typed(chunk, schema)


def save(tables: Iterable[pd.DataFrame], url: str) -> str:
    """Write the tables to one file at `url`, whole or not at all, in place of the last one; return where it is."""
    system, path = live_folder.place(url)
    if isinstance(system, LocalFileSystem):
        parquet.write_parts(tables, Path(path))
        return path
    with TemporaryDirectory() as folder:
        parquet.write_parts(tables, whole := Path(folder) / live_folder.NAME)
        system.put_file(str(whole), path)
    return f"{url.rstrip('/')}/{live_folder.NAME}"


def _typed(logged: list[Logged], schema: Schema) -> pd.DataFrame:
    # Integers as text: Python refuses to read one of 5,000 digits, which a field that is no feature may have.
    bodies = [json.loads(each.entry.sent, parse_int=str) for each in logged]
    raw = {column.name: [_cell(body.get(column.name)) for body in bodies] for column in schema.used}
    raw[schema.target.name] = [_cell(each.actual) for each in logged]
    typed, _ = cell_parser.parse(pd.DataFrame(raw, dtype="str"), schema.used)
    about = pd.DataFrame(
        {
            "prediction_id": pd.Series([each.entry.id for each in logged], dtype="str"),
            "prediction_time": pd.to_datetime([each.entry.time for each in logged], unit="ms", utc=True).as_unit("us"),
            "prediction_model": pd.Series([each.entry.model for each in logged], dtype="str"),
            "prediction": pd.Series([each.entry.prediction for each in logged], dtype="float64"),
            "feedback_key": pd.Series([each.key for each in logged], dtype="str"),
        }
    )
    return typed.join(about.drop(columns=typed.columns, errors="ignore"))


def _cell(value: Any) -> str:
    """Return a JSON value as the cell of a CSV file."""
    return "" if value is None else value if isinstance(value, str) else _encode(value)


def _moment(text: str) -> int:
    """Return the milliseconds since 1970 of an ISO 8601 date or time, in UTC where it has no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise PipelineError(f"expected a date or time like 2026-11-01 or 2026-11-01T06:00, found {text!r}") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m api.commands.export", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--since", help="first moment, ISO 8601, UTC (default: when the champion was promoted)")
    parser.add_argument("--until", help="moment after the last, ISO 8601, UTC (default: now)")
    arguments = parser.parse_args()
    since = _moment(arguments.since or git.last_change(paths.CHAMPION_RECORD) or BEGINNING)
    until = _moment(arguments.until) if arguments.until else now()
    database, schema = existing(settings.load().prediction_log_url), load_schema()
    total = known = 0
    # The server may have read a deeper nested row than this command could: fewer calls stood on its stack.
    sys.setrecursionlimit(2000)

    def tables() -> Iterator[pd.DataFrame]:
        nonlocal total, known
        for table in live_rows(queries.window(database, since, until), schema):
            total += len(table)
            known += table[schema.target.name].count()
            yield table

    place = save(tables(), live_folder.url())
    print(f"{place}: {counted(total, 'row')}, {known} with the actual value")


if __name__ == "__main__":
    errors.run_command(main)
