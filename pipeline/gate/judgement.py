"""The judgement on the workspace's model: evidence against the champion of a revision, then the decision on it."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pipeline.contract import paths
from pipeline.contract.number_text import share
from pipeline.contract.params import Gate
from pipeline.contract.wording import counted
from pipeline.evaluation import slices
from pipeline.gate import checks, out_of_fold, repeated_cv, schema_compatibility, wear
from pipeline.gate.checks import Check
from pipeline.gate.decision import Decision, decide
from pipeline.gate.evidence import Evidence, gather, recent_half
from pipeline.gate.out_of_fold import OutOfFold
from pipeline.gate.repeated_cv import NoEvidenceError
from pipeline.registry import history
from pipeline.tables import atomic_files, parquet


def judge(revision: str, limits: Gate, schema_may_change: bool = False) -> Decision:
    """Decide on the workspace's model against the champion of `revision`; nothing is written but the cache of fits.

    Raises PipelineError where it cannot be decided: a file or a metric is missing or contradicts another.
    """
    evidence = gather(revision)
    about = evidence.challenger.description
    md5, split = atomic_files.digest(paths.MODEL, "md5"), atomic_files.digest(paths.TEST)
    rows = wear.sketch(_deciding_rows(evidence), about.schema.columns)
    looks = wear.looks(history.read(), split, rows, md5)
    refitted, remark = _refitted(evidence, limits)
    decision = decide(
        evidence.current,
        evidence.new[:, 0],
        evidence.actual,
        limits,
        refitted=refitted,
        earlier=len(looks),
        median=about.training.target_median,
        recent=recent_half(evidence.table, about.schema),
        further=_further_checks(evidence, limits, schema_may_change),
    )
    hashes = {
        "challenger": md5,
        "champion": evidence.champion and evidence.champion.md5,
        "test": split,
        "row_sketch": rows,
    }
    notes = (*evidence.notes, *_notes(evidence, limits), *remark)
    return decision._replace(notes=notes, hashes=hashes, looks=tuple(looks), metrics_diff=evidence.metrics_diff)


def _deciding_rows(evidence: Evidence) -> pd.DataFrame:
    """Return the test rows, and the training rows where these may be evidence too."""
    if evidence.challenger.description.training.rows > repeated_cv.MOST:
        return evidence.table
    return pd.concat([evidence.table, parquet.read(paths.TRAIN)], ignore_index=True)


def _refitted(evidence: Evidence, limits: Gate) -> tuple[OutOfFold | None, list[str]]:
    """Return the errors of both recipes out of fold, and a sentence on them; None where there are none."""
    if evidence.champion is None or limits.evidence == "test":
        return None, []
    try:
        found = repeated_cv.errors(evidence.champion, evidence.challenger)
    except NoEvidenceError as reason:
        return None, [f"The test rows alone are the evidence: {reason}."]
    raised = float(np.expm1(out_of_fold.allowance(found)))
    before, after = found.settings
    luck = f"for the luck of the best of {counted(after, 'setting')}, against {before} of the champion"
    return found, [f"Out of fold, the RMSE of the new model is raised by {share(raised)} {luck}."] if raised else []


def _further_checks(evidence: Evidence, limits: Gate, schema_may_change: bool) -> Iterator[Check]:
    """Make the checks that predictions alone cannot decide; the last two compare with a champion."""
    about = evidence.challenger.description
    _, lower, upper = evidence.new.T
    yield checks.no_leak(about.training)
    yield checks.coverage(evidence.actual, lower, upper, about.interval.level, limits)
    yield checks.servable(paths.MODEL)
    if evidence.champion is not None and evidence.current is not None:
        squared = np.square(np.column_stack([evidence.current, evidence.new[:, 0]]) - evidence.actual[:, None])
        yield checks.slices(slices.members(evidence.table, about.schema, evidence.actual), squared, limits)
        before = evidence.champion.model.description.schema
        yield checks.schema_compatibility(schema_compatibility.narrower(before, about.schema), schema_may_change)


def _notes(evidence: Evidence, limits: Gate) -> Iterator[str]:
    if evidence.champion is None:
        return
    if limits.policy == "non_inferior" and not evidence.challenger.description.schema.with_role("time"):
        yield "The schema has no time column: nothing says which rows are recent, so all must be better."
