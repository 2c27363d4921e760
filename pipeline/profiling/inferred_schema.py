"""A first schema for a table: one that runs as it is, with remarks on what to check."""

from typing import NamedTuple

import pandas as pd
from msgspec.structs import replace

from pipeline.contract.column import RESERVED, Column
from pipeline.contract.errors import PipelineError
from pipeline.contract.schema import Schema, Source
from pipeline.contract.wording import titles
from pipeline.contract.yaml_config import nearest
from pipeline.profiling import table_remarks
from pipeline.profiling.cell_remarks import of_column
from pipeline.profiling.column_guess import guess, is_named_id
from pipeline.profiling.column_profile import Profile, profile
from pipeline.profiling.date_guess import with_parts
from pipeline.profiling.leaks import leaks
from pipeline.profiling.remarks import Guess, Remark, shown
from pipeline.profiling.text_guess import MOSTLY
from pipeline.tables import cell_parser

UNKNOWN = Source("unknown: say where this table comes from", "unknown: say what one may do with it")


class Inferred(NamedTuple):
    schema: Schema
    remarks: list[Remark]


def infer(raw: pd.DataFrame, target: str) -> Inferred:
    """Infer a schema for raw cells that rejects no row that has a target; other rows are not looked at.

    Raises PipelineError for a target that is absent or no number, a reserved name, or a table without a feature.
    """
    raw = raw.reset_index(drop=True)
    _check_names(raw, target)
    as_target = Column(target, "float", role="target", nullable=True)
    typed, problems = cell_parser.parse(raw[[target]], (as_target,))
    _check_target(typed[target], problems)
    usable = raw[typed[target].notna()]
    # A column without a name cannot be in a schema; a remark says so.
    profiles = [profile(usable[name]) for name in raw if name]
    required = replace(as_target, nullable=False)
    guesses = [Guess(_as_target(required, each)) if each.name == target else guess(each) for each in profiles]
    guesses = [
        found._replace(column=with_parts(found.column, each))
        for each, found in zip(profiles, _one_of_each(guesses), strict=True)
    ]
    inferred = Schema(version=1, source=UNKNOWN, columns=tuple(found.column for found in guesses))
    table, _ = cell_parser.parse(usable, inferred.used)
    remarks = [
        *table_remarks.target_cells(typed[target], problems),
        *(Remark(found.topic, found.column.name, found.detail) for found in guesses if found.topic),
        *(remark for each, found in zip(profiles, guesses, strict=True) for remark in of_column(each, found.column)),
        *table_remarks.names(usable, inferred),
        *leaks(table, inferred),
        *table_remarks.missing_cells(usable, table, inferred),
        *table_remarks.few_rows(table, inferred),
        *table_remarks.placeholders(inferred),
    ]
    if not inferred.features:
        why = "; ".join(f"{remark.name}: {remark.topic}" for remark in remarks if remark.name)
        raise PipelineError(f"no column can be a feature ({why}): bring a table with columns to predict {target} from")
    return Inferred(inferred, remarks)


def _check_names(raw: pd.DataFrame, target: str) -> None:
    names = [str(name) for name in raw]
    if target not in names:
        raise PipelineError(
            f"the table has no column {target!r} to predict{nearest(target, names)}; it has {', '.join(titles(names))}"
        )
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise PipelineError(f"the header names {', '.join(map(repr, repeated))} more than once; rename or remove one")
    if reserved := [name for name in names if name in RESERVED]:
        raise PipelineError(
            f"the header has {', '.join(reserved)}, reserved for the pipeline's own columns; rename it in the raw file"
        )


def _as_target(column: Column, profile: Profile) -> Column:
    """Return the target with min 0 where nothing is negative; no other bound is known, and predictions obey bounds."""
    is_positive = bool((profile.numbers >= 0).all())
    return replace(column, dtype="int" if profile.is_whole else "float", min=0.0 if is_positive else None)


def _check_target(values: pd.Series, problems: pd.DataFrame) -> None:
    target, count = str(values.name), int(values.notna().sum())
    if len(values) == 0:
        raise PipelineError("the table has a header and no rows: a schema is inferred from values")
    if count + len(problems) == 0:
        raise PipelineError(f"column {target!r} has no value in any row: name another --target, or fill it")
    if count < MOSTLY * (count + len(problems)):
        examples = ", ".join(map(shown, problems["value"].unique()[:3]))
        raise PipelineError(
            f"column {target!r} cannot be the target: {len(problems)} of its {count + len(problems)} values are no "
            f"numbers ({examples}); write numbers as 1234.5, or name another --target"
        )


def _one_of_each(guesses: list[Guess]) -> list[Guess]:
    """Ignore all columns with role id or split but the first of each, and make features of all times but the first; an
    id by its name goes first."""
    for role in ("time", "id", "split"):
        names = [found.column.name for found in guesses if found.column.role == role]
        names.sort(key=lambda name: role == "id" and not is_named_id(name))
        for k, found in enumerate(guesses):
            if found.column.role == role and found.column.name != names[0]:
                column = replace(found.column, role="feature" if role == "time" else "ignore")
                guesses[k] = Guess(column, f"role {column.role}: {names[0]} has role {role} already", found.detail)
    return guesses
