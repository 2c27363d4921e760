"""Clean: raw cells to a typed, validated table, split once and for all.

Reads data/raw, data/schema.yaml, params `clean`, `engine`; writes data/clean/{train,test,rejected}.parquet (with Dask
each a folder of parts), data/clean/report.json (by column) and metrics/clean.json (totals). Missing feature values stay
missing: what replaces them is learned in training.
"""

if __name__ == "__main__":
    from stages import ahead  # of the libraries, which take their time

    ahead.start()

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages import engine, errors, files, medians, params, rows, schema, tables
from stages.cleaning import checks, raw_parts, tally
from stages.cleaning.raw_parts import Part
from stages.cleaning.rules import counts, look, report, typed
from stages.cleaning.tally import Tally
from stages.engine import Engine
from stages.params import Clean
from stages.rows import Cuts
from stages.schema import Column, Schema

OUT = Path("data/clean")
TABLES = ("train", "test", "rejected")


class Cleaned(NamedTuple):
    """`table`: typed columns of the schema, `row` (number in the raw table), `fold` (-1: test split).
    `rejected`: the raw cells of rows that cannot be used, with `row`, `column`, `reason`, `value`.
    `counts`: rows in, in each split, and rejected by reason."""

    table: pd.DataFrame
    rejected: pd.DataFrame
    counts: dict[str, int]


class Found(NamedTuple):
    """What a cleaned part adds to the whole; `digits`: of the numbers among its training rows, for medians."""

    tally: Tally
    digits: list[medians.Counts]


class Item(NamedTuple):
    """A part of the raw table (None: all of it) and where its rows go, by the names of TABLES."""

    part: Part | None
    paths: dict[str, Path]


def clean(raw: pd.DataFrame, schema: Schema, params: Clean) -> Cleaned:
    """Parse, validate and split a raw table, whose index numbers its rows.

    Raises PipelineError where columns are missing, rows are too few or too many of them are rejected, a feature has
    no value at all, or a fold would be empty.
    """
    table, rejected = typed(raw, schema)
    found = tally.of(table, rejected, schema)
    cuts = look(found, rows.moments(table, schema), schema, params)
    table["fold"] = rows.assign(table, schema, params.test_fraction, params.folds, cuts)
    found = tally.of(table, rejected, schema)
    checks.folds(found, rows.expected_folds(schema, params.folds))
    return Cleaned(table, rejected, counts(found))


def survey(item: Item, schema: Schema) -> tuple[Tally, pd.DataFrame | None]:
    """What a part says of the whole table before it can be split."""
    table, rejected = typed(_load(item.part), schema)
    return tally.of(table, rejected, schema), rows.moments(table, schema)


def split(item: Item, schema: Schema, params: Clean, cuts: Cuts | None) -> Found:
    """Clean a part and write its rows where they belong."""
    table, rejected = typed(_load(item.part), schema)
    table["fold"] = rows.assign(table, schema, params.test_fraction, params.folds, cuts)
    test = table["fold"] == rows.TEST
    training = table[~test]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(tables.write, (training, table[test], rejected), (item.paths[name] for name in TABLES)))
    numeric = [column.name for column in _numeric(schema)]
    digits = _digits(training, numeric, [medians.FIRST] * len(numeric))
    return Found(tally.of(table, rejected, schema), digits)


def _add(some: Found, more: Found) -> Found:
    return Found(some.tally + more.tally, medians.add(some.digits, more.digits))


def _medians(engine: Engine, training: list[Path], schema: Schema, first: list[medians.Counts]) -> dict[str, float]:
    """Of the numbers among the features, over all parts; a column without a value is left out."""
    names = [column.name for column in _numeric(schema)]

    def passes(looks: list[medians.Look]) -> list[medians.Counts]:
        return engine.fold(partial(_look, names=names, looks=looks), training, "clean: medians", medians.add)

    (found,) = medians.medians(first, passes, 1, [np.array([0])])
    return {name: float(value) for name, value in zip(names, found, strict=True) if not np.isnan(value)}


def _numeric(schema: Schema) -> list[Column]:
    return [column for column in schema.features if column.dtype in ("float", "int")]


def _look(path: Path, names: list[str], looks: list[medians.Look]) -> list[medians.Counts]:
    return _digits(tables.read(path, names), names, looks)


def _digits(table: pd.DataFrame, names: list[str], looks: list[medians.Look]) -> list[medians.Counts]:
    columns = (table[name].to_numpy(float, na_value=np.nan) for name in names)
    return medians.count(columns, np.zeros(len(table), dtype=int), looks)


def _load(part: Part | None) -> pd.DataFrame:
    return tables.read_raw() if part is None else raw_parts.read(part)


@contextmanager
def _items(parts: list[Part] | None) -> Iterator[list[Item]]:
    """The whole table into one file each, or its parts into folders; these appear when the block ends well."""
    with ExitStack() as stack:
        out = {name: stack.enter_context(files.replacing(OUT / f"{name}.parquet")) for name in TABLES}
        if parts is None:
            yield [Item(None, out)]
            return
        for folder in out.values():
            folder.mkdir()
        yield [
            Item(part, {name: folder / tables.part_name(number) for name, folder in out.items()})
            for number, part in enumerate(parts)
        ]


def run(workers: Engine, parts: list[Part] | None, schema: Schema, params: Clean) -> tuple[Tally, dict[str, float]]:
    """Clean data/raw, whole or in parts, into the tables of OUT; the counts, and the medians of the training rows."""
    with _items(parts) as items:
        cuts = None
        if rows.needs_moments(schema):
            seen = workers.map(partial(survey, schema=schema), items, "clean: moments")
            surveyed = reduce(add, [each for each, _ in seen])
            cuts = look(surveyed, rows.merged([moments for _, moments in seen]), schema, params)
        task = partial(split, schema=schema, params=params, cuts=cuts)
        found, digits = workers.fold(task, items, "clean: rows", _add)
        look(found, None, schema, params)
        checks.folds(found, rows.expected_folds(schema, params.folds))
        return found, _medians(workers, [item.paths["train"] for item in items], schema, digits)


def save(found: Tally, middles: dict[str, float], schema: Schema) -> None:
    about = report(found, middles, schema, raw_parts.columns(tables.raw_parts()[0]))
    totals = counts(found)
    files.write_json(OUT / "report.json", about)
    files.write_json(Path("metrics/clean.json"), totals)
    print(" ".join(f"{name}={count}" for name, count in totals.items() if count))
    if about["extra_columns"]:
        print(f"not in data/schema.yaml, and not used: {', '.join(about['extra_columns'])}")


def main() -> None:
    settings, limits, table_schema = params.load("engine"), params.load("clean"), schema.load()
    size = int(settings.part_mb * 1e6)
    with engine.start(settings) as workers:
        parts = None if workers.client is None else raw_parts.cut(workers, size)
        found, middles = run(workers, parts, table_schema, limits)
    save(found, middles, table_schema)


if __name__ == "__main__":
    errors.run(main)
