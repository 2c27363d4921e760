"""A first schema for a table that no one has described: one that runs as it is, and what a person should look at."""

from typing import NamedTuple

import pandas as pd
from msgspec.structs import replace

from pipeline.contract import schema
from pipeline.contract.errors import PipelineError
from pipeline.contract.schema import Column, Schema, Source
from pipeline.contract.yaml_config import nearest
from pipeline.profiling import remarks
from pipeline.profiling.column_guess import guess
from pipeline.profiling.column_profile import read
from pipeline.profiling.numeric_columns import MOSTLY, number
from pipeline.profiling.remarks import Guess, Remark, is_named_id, shown
from pipeline.tables import cell_parser

_ONE_OF = ("time", "id", "split")
UNKNOWN = Source(
    origin="unknown: say where this table comes from",
    licence="unknown: say what one may do with it",
)


class Inferred(NamedTuple):
    schema: Schema
    remarks: list[Remark]


def infer(raw: pd.DataFrame, target: str) -> Inferred:
    """The schema of a table of raw cells as `pipeline.tables.parquet` reads them: no row that has a target is rejected by it.

    Rows whose target is missing or no number teach nothing, and no guess is made from them.
    Raises PipelineError for a target that is absent or no number, a reserved name, or a table without a feature.
    """
    raw = raw.reset_index(drop=True)
    _check_names(raw, target)
    numbers, problems = cell_parser.parse(raw[[target]], (Column(target, "float", role="target", nullable=True),))
    _check_target(raw, numbers[target], problems)
    usable = raw[numbers[target].notna()]
    goal = Guess(number(Column(target, "float", role="target"), read(target, usable[target])))
    # A column without a name cannot be described; a remark says so.
    guesses = _one_of_each([goal if name == target else guess(name, usable[name]) for name in raw if name])
    inferred = Schema(version=1, source=UNKNOWN, columns=tuple(found.column for found in guesses))
    topics = [
        *remarks.unusable(raw, numbers[target], problems),
        *(Remark(found.topic, found.column.name, found.detail) for found in guesses if found.topic),
        *remarks.about_names(usable, inferred),
        *remarks.leaks(usable, inferred),
        *remarks.missing_values(usable, inferred),
        *remarks.placeholders(inferred),
    ]
    if not inferred.features:
        why = "; ".join(f"{remark.name}: {remark.topic}" for remark in topics if remark.name)
        raise PipelineError(f"no column can be a feature ({why}): bring a table with columns to predict {target} from")
    return Inferred(inferred, topics)


def _check_names(raw: pd.DataFrame, target: str) -> None:
    names = [str(name) for name in raw]
    if target not in names:
        raise PipelineError(
            f"the table has no column {target!r} to predict{nearest(target, names)}; it has {', '.join(names)}"
        )
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise PipelineError(f"the header names {', '.join(repeated)} more than once; rename or remove one")
    if reserved := [name for name in names if name in schema.RESERVED]:
        raise PipelineError(
            f"the header has {', '.join(reserved)}, reserved for the pipeline's own columns; rename it in the raw file"
        )


def _check_target(raw: pd.DataFrame, values: pd.Series, problems: pd.DataFrame) -> None:
    target, count = str(values.name), int(values.notna().sum())
    if len(raw) == 0:
        raise PipelineError("the table has a header and no rows: a schema is guessed from values")
    if count + len(problems) == 0:
        raise PipelineError(f"column {target!r} has no value in any row: name another --target, or fill it")
    if count < MOSTLY * (count + len(problems)):
        examples = ", ".join(map(shown, problems["value"].unique()[:3]))
        raise PipelineError(
            f"column {target!r} cannot be the target: {len(problems)} of its {count + len(problems)} values are no "
            f"numbers ({examples}); write numbers as 1234.5, or name another --target"
        )


def _one_of_each(guesses: list[Guess]) -> list[Guess]:
    """At most one column with role time, id or split: the first, but an id by its name before any other."""
    for role in _ONE_OF:
        candidates = [found.column.name for found in guesses if found.column.role == role]
        candidates.sort(key=lambda name: role == "id" and not is_named_id(name))
        for k, found in enumerate(guesses):
            if found.column.role == role and found.column.name != candidates[0]:
                column = replace(found.column, role="ignore")
                guesses[k] = Guess(column, f"role ignore, for {candidates[0]} has role {role} already", found.detail)
    return guesses
