"""Clean: raw cells to a typed, validated table, split once and for all.

Reads data/raw, data/schema.yaml, params `clean`, `engine`; writes data/clean/{train,test,rejected}.parquet (with Dask
each a folder of parts), data/clean/report.json (by column) and metrics/clean.json (totals). Missing feature values stay
missing: what replaces them is learned in training.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pipeline.cleaning import summary, typed_rows, validation
from pipeline.cleaning.summary import Summary, summarise
from pipeline.contract import errors, paths
from pipeline.contract.params import Clean, Engine
from pipeline.contract.params import load as load_params
from pipeline.contract.schema import Schema
from pipeline.contract.schema import load as load_schema
from pipeline.distributed import executor
from pipeline.distributed.executor import Executor
from pipeline.tables import atomic_files, parquet, partitions, raw_table, sources, splitting
from pipeline.tables.partitions import Partition
from pipeline.tables.splitting import Cuts

TABLES = ("train", "test", "rejected")
CELLS = 2**21  # of a partition that are cleaned at a time, and so of a file of a table in parts: about 16 MB


class Cleaned(NamedTuple):
    """`table`: typed columns of the schema, `row` (number in the raw table), `fold` (-1: test split).
    `rejected`: the raw cells of rows that cannot be used, with `row`, `column`, `reason`, `value`."""

    table: pd.DataFrame
    rejected: pd.DataFrame
    summary: Summary

    @property
    def counts(self) -> dict[str, int]:
        """Rows in, in each split, and rejected by reason."""
        return self.summary.counts


def clean(raw: pd.DataFrame, schema: Schema, params: Clean, cuts: Cuts | None = None) -> Cleaned:
    """Parse, validate and split a raw table, whose index numbers its rows, or with the table's `cuts` one part of it.

    Raises PipelineError where columns are missing, and for a whole table where rows are too few or too many of them are
    rejected, a feature has no value at all, or a fold would be empty.
    """
    table, rejected = typed_rows.type_rows(raw, schema)
    is_whole = cuts is None
    if cuts is None:
        cuts = _cuts(summarise(table, rejected, schema), schema, params)
    table["fold"] = splitting.assign(table, schema, params.test_fraction, params.folds, cuts)
    counted = summarise(table, rejected, schema)
    if is_whole:
        validation.check_folds(counted, schema, params)
    return Cleaned(table, rejected, counted)


def clean_parts(
    workers: Executor, parts: list[Partition], folders: dict[str, Path], schema: Schema, params: Clean
) -> Summary:
    """Clean the raw table by Dask's workers; each batch of a partition becomes a file in each of the `folders`.

    Raises PipelineError as `clean` does.
    """
    cuts = Cuts()
    if splitting.needs_moments(schema):
        cuts = _cuts(reduce(add, workers.map(_survey_part, parts, "clean: moments", schema)), schema, params)
    counted = reduce(add, workers.map(_clean_part, enumerate(parts), "clean: rows", folders, schema, params, cuts))
    validation.check_table(counted, schema, params)
    validation.check_folds(counted, schema, params)
    return counted


def write(cleaned: Cleaned, out: dict[str, Path]) -> None:
    """Write the training, test and rejected rows to the files of these names."""
    test = cleaned.table["fold"] == splitting.TEST
    parquet.write(cleaned.table[~test], out["train"])
    parquet.write(cleaned.table[test], out["test"])
    parquet.write(cleaned.rejected, out["rejected"])


def save(counted: Summary, schema: Schema) -> None:
    """Write the report and the totals, and print the totals."""
    about = summary.report(counted, schema, raw_table.column_names(sources.list_sources()[0]))
    atomic_files.write_json(paths.CLEAN_REPORT, about)
    atomic_files.write_json(paths.CLEAN_METRICS, counted.counts)
    print(" ".join(f"{name}={count}" for name, count in counted.counts.items() if count))
    if about["extra_columns"]:
        print(f"not in data/schema.yaml, and not used: {', '.join(about['extra_columns'])}")
    if counted.warning:
        print(f"warning: {counted.warning}")


def main() -> None:
    engine, params, schema = load_params(Engine), load_params(Clean), load_schema()
    with executor.start(engine) as workers, _outputs() as out:
        if workers.client is None:
            cleaned = clean(raw_table.read(), schema, params)
            write(cleaned, out)
            counted = cleaned.summary
        else:
            counted = clean_parts(workers, partitions.list_partitions(workers.map), out, schema, params)
    save(counted, schema)


def _cuts(counted: Summary, schema: Schema, params: Clean) -> Cuts:
    """Check the whole table before its rows have folds, and return its cuts in time."""
    moments = splitting.merged(counted.moments)
    validation.check_table(counted, schema, params)
    validation.check_groups(moments, schema)
    return splitting.cuts(moments, schema, params.test_fraction, params.folds)


def _survey_part(part: Partition, schema: Schema) -> Summary:
    counted = reduce(add, (summarise(*typed_rows.type_rows(raw, schema), schema) for raw in _batches(part)))
    return replace(counted, moments=(splitting.merged(counted.moments),))


def _clean_part(
    item: tuple[int, Partition], folders: dict[str, Path], schema: Schema, params: Clean, cuts: Cuts
) -> Summary:
    number, part = item
    counted = []
    for batch, raw in enumerate(_batches(part)):
        cleaned = clean(raw, schema, params, cuts)
        write(cleaned, {name: folder / parquet.part_name(number, batch) for name, folder in folders.items()})
        counted.append(cleaned.summary)
    return reduce(add, counted)


def _batches(part: Partition) -> Iterator[pd.DataFrame]:
    return partitions.batches(part, part.columns, max(1, CELLS // len(part.columns)))


@contextmanager
def _outputs() -> Iterator[dict[str, Path]]:
    """Yield a path to write each table to, by name; the tables appear when the block ends without an error."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(atomic_files.replacing(paths.CLEAN / f"{name}.parquet")) for name in TABLES}


if __name__ == "__main__":
    errors.run_command(main)
