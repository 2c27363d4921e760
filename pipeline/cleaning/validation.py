"""Checks that a table is fit to train on; each raises PipelineError that says what to do."""

import itertools
from collections import Counter

import pandas as pd

from pipeline.cleaning.summary import EXAMPLES, Summary
from pipeline.contract import wording
from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Clean
from pipeline.contract.schema import Schema
from pipeline.contract.wording import titles
from pipeline.contract.yaml_config import nearest
from pipeline.tables import splitting


def check_columns(raw: pd.DataFrame, schema: Schema) -> None:
    """Check that the raw table has every column that the schema uses."""
    if missing := [column.name for column in schema.used if column.name not in raw]:
        names = [f"{name}{nearest(name, map(str, raw))}" for name in missing]
        raise PipelineError(
            f"the raw table has no column {', '.join(names)}; it has {', '.join(titles(raw.columns))}: "
            "correct its header, or data/schema.yaml"
        )


def check_table(summary: Summary, schema: Schema, params: Clean) -> None:
    """Check that the table has enough rows, also with a target, that few are rejected, and that each feature has a
    value."""
    if summary.rows < params.min_rows:
        raise PipelineError(
            f"the raw table has {wording.counted(summary.rows, 'row')}, expected at least clean.min_rows = "
            f"{params.min_rows}: add rows, or lower it in params.yaml"
        )
    _check_targets(summary, schema.target.name, params.min_rows)
    _check_rejected(summary, schema, params.max_rejected_fraction)
    if empty := [column.name for column in schema.features if summary.missing[column.name] == summary.usable]:
        raise PipelineError(
            f"column {', '.join(empty)} has no value in any usable row: fill it, or give it role ignore in "
            "data/schema.yaml"
        )


def check_groups(moments: pd.DataFrame, schema: Schema) -> None:
    """Check that a given split divides no group, by `splitting.moments`: the model would be tested on what it saw."""
    for split, group in itertools.product(schema.with_role("split"), schema.with_role("group")):
        divided = moments.index[(moments["n_test"] > 0) & (moments["n_test"] < moments["n"])]
        if len(divided):
            raise PipelineError(
                f"column {split.name} puts {len(divided)} groups of {group.name} on both sides, such as "
                f"{divided[0]!r}: correct it, or give one of the two columns role ignore"
            )


def check_folds(summary: Summary, schema: Schema, params: Clean) -> None:
    """Check that the test split and every fold have a row."""
    if empty := sorted(splitting.expected_folds(schema, params.folds) - set(summary.folds)):
        names = ", ".join("the test split" if k == splitting.TEST else f"fold {k}" for k in empty)
        remedy = "lower clean.folds or raise clean.test_fraction in params.yaml"
        raise PipelineError(
            f"no row falls into {names}: the table is too small or too uniform; {summary.warning or remedy}"
        )


def _check_targets(summary: Summary, target: str, least: int) -> None:
    if (known := summary.rows - summary.without_target) >= least:
        return
    examples = summary.examples[summary.examples["reason"] == "missing_target"]
    raise PipelineError(
        f"{summary.without_target} of {wording.counted(summary.rows, 'row')} have no target, so that {known} are left "
        f"to train on, expected at least clean.min_rows = {least}; column {target}: {_cells(examples)}: fill it, "
        "or give role target to the column to predict in data/schema.yaml"
    )


def _check_rejected(summary: Summary, schema: Schema, limit: float) -> None:
    """Check the share of rejected rows among those with a target: a row without one is no accident."""
    total, known = summary.reasons.total() - summary.without_target, summary.rows - summary.without_target
    if total <= limit * known:
        return
    accidents = summary.rejected - Counter({schema.target.name: summary.without_target})
    worst = accidents.most_common(1)[0][0]
    shown = summary.examples[summary.examples["column"] == worst]
    examples = shown[shown["reason"] != "missing_target"].head(EXAMPLES)
    has_comma = examples["value"].str.fullmatch(r"\s*-?\d+,\d+\s*").any()
    remedy = "write numbers with a point, not a comma" if has_comma else "correct the table, or data/schema.yaml"
    if forms := [column.format or "ISO 8601" for column in schema.used if column.name == worst and column.is_moment]:
        remedy = f"expected dates written as {forms[0]}, or the key format to say how they are; {remedy}"
    raise PipelineError(
        f"{total} of {wording.counted(known, 'row')} are rejected, more than clean.max_rejected_fraction = {limit:g}; "
        f"most for column {worst}: {_cells(examples)}: {remedy}"
    )


def _cells(examples: pd.DataFrame) -> str:
    each = examples.itertuples()
    return "; ".join(f"row {e.row}: {e.column} = {e.value!r} ({str(e.reason).replace('_', ' ')})" for e in each)
