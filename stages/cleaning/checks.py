"""When a table as a whole is not fit to train on: each check raises PipelineError with what to do."""

import itertools

import pandas as pd

from stages import rows
from stages.cleaning.tally import Tally
from stages.config import nearest
from stages.errors import PipelineError
from stages.schema import Schema


def size(found: int, least: int) -> None:
    if found < least:
        raise PipelineError(
            f"the raw table has {found} rows, expected at least clean.min_rows = {least}: "
            "add rows, or lower it in params.yaml"
        )


def columns(raw: pd.DataFrame, schema: Schema) -> None:
    missing = [column.name for column in schema.used if column.name not in raw]
    if missing:
        names = [f"{name}{nearest(name, map(str, raw))}" for name in missing]
        raise PipelineError(
            f"the raw table has no column {', '.join(names)}; it has {', '.join(map(str, raw.columns))}: "
            "correct its header, or data/schema.yaml"
        )


def rejected(found: Tally, limit: float) -> None:
    """At most the share `limit` of the rows may be rejected."""
    total = found.reasons.total()
    if total <= limit * found.rows:
        return
    worst = max(found.rejected, key=lambda name: (found.rejected[name], -found.examples[name][0].row))
    examples = [f"row {e.row}: {worst} = {e.value!r} ({e.reason.replace('_', ' ')})" for e in found.examples[worst]]
    commas = found.commas[worst] > 0
    hint = "Numbers need a decimal point, not a comma" if commas else "Correct the table, or its bounds in"
    raise PipelineError(
        f"{total} of {found.rows} rows are rejected, more than clean.max_rejected_fraction = {limit:g}; "
        f"most for column {worst}: {'; '.join(examples)}. {hint}{'' if commas else ' data/schema.yaml'}"
    )


def features(found: Tally, schema: Schema) -> None:
    if empty := [column.name for column in schema.features if found.missing[column.name] == found.usable]:
        raise PipelineError(
            f"column {', '.join(empty)} has no value in any usable row: fill it, or give it role ignore in "
            "data/schema.yaml"
        )


def groups(moments: pd.DataFrame | None, schema: Schema) -> None:
    """A given split that divides a group would test on what it trained on; `moments` as `stages.rows` has them."""
    for split, group in itertools.product(schema.with_role("split"), schema.with_role("group")):
        if moments is None:
            continue
        divided = moments.index[(moments["n_test"] > 0) & (moments["n_test"] < moments["n"])]
        if len(divided):
            raise PipelineError(
                f"column {split.name} puts {len(divided)} groups of {group.name} on both sides, such as "
                f"{divided[0]!r}: correct it, or give one of the two columns role ignore"
            )


def folds(found: Tally, expected: set[int]) -> None:
    if empty := sorted(expected - set(found.folds)):
        names = ", ".join("the test split" if k == rows.TEST else f"fold {k}" for k in empty)
        raise PipelineError(
            f"no row falls into {names}: the table is too small or too uniform; lower clean.folds or raise "
            "clean.test_fraction in params.yaml"
        )
