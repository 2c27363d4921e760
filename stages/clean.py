"""Clean: raw cells to a typed, validated table, split once and for all.

Reads data/raw, data/schema.yaml, params `clean`, `engine`; writes data/clean/{train,test,rejected}.parquet (with Dask
each a folder of parts), data/clean/report.json (by column) and metrics/clean.json (totals). Missing feature values stay
missing: what replaces them is learned in training.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages import checks, engine, errors, files, medians, params, raw_parts, rows, schema, tables, tally
from stages.cleaning import counts, look, report, typed
from stages.engine import Engine
from stages.matrix import to_matrix
from stages.params import Clean
from stages.raw_parts import Part
from stages.rows import Cuts
from stages.schema import Schema
from stages.tally import Tally

OUT = Path("data/clean")
TABLES = ("train", "test", "rejected")


class Cleaned(NamedTuple):
    """`table`: typed columns of the schema, `row` (number in the raw table), `fold` (-1: test split).
    `rejected`: the raw cells of rows that cannot be used, with `row`, `column`, `reason`, `value`.
    `counts`: rows in, in each split, and rejected by reason."""

    table: pd.DataFrame
    rejected: pd.DataFrame
    counts: dict[str, int]


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


def split(item: Item, schema: Schema, params: Clean, cuts: Cuts | None) -> Tally:
    """Clean a part and write its rows where they belong."""
    table, rejected = typed(_load(item.part), schema)
    table["fold"] = rows.assign(table, schema, params.test_fraction, params.folds, cuts)
    test = table["fold"] == rows.TEST
    for name, part in zip(TABLES, (table[~test], table[test], rejected), strict=True):
        tables.write(part, item.paths[name])
    return tally.of(table, rejected, schema)


def _medians(engine: Engine, training: list[Path], schema: Schema) -> dict[str, float]:
    """Of the numbers among the features, over all parts; a column without a value is left out."""
    numeric = tuple(column for column in schema.features if column.dtype in ("float", "int"))

    def passes(beginnings: list[set[int]], level: int) -> list[list[medians.Counts]]:
        task = partial(_count, columns=numeric, beginnings=beginnings, level=level)
        return engine.map(task, training, f"clean: medians {level + 1}/{medians.PASSES}")

    if len(training) == 1:  # all in memory anyway
        found = tables.read(training[0], [column.name for column in numeric]).median().to_list()
    else:
        found = medians.medians(passes, len(numeric), 1, [np.array([0])])[0].tolist()
    return {c.name: float(value) for c, value in zip(numeric, found, strict=True) if not pd.isna(value)}


def _count(
    path: Path, columns: tuple[schema.Column, ...], beginnings: list[set[int]], level: int
) -> list[medians.Counts]:
    table = tables.read(path, [column.name for column in columns])
    return medians.count(to_matrix(table, columns), np.zeros(len(table), dtype=int), beginnings, level)


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
            found = reduce(add, [each for each, _ in seen])
            cuts = look(found, rows.merged([moments for _, moments in seen]), schema, params)
        task = partial(split, schema=schema, params=params, cuts=cuts)
        found = reduce(add, workers.map(task, items, "clean: rows"))
        look(found, None, schema, params)
        checks.folds(found, rows.expected_folds(schema, params.folds))
        return found, _medians(workers, [item.paths["train"] for item in items], schema)


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
