"""The judgement on the workspace's model: evidence against the champion of a revision, then the decision on it."""

from collections.abc import Iterator

import numpy as np

from pipeline.contract import paths
from pipeline.contract.params import Gate
from pipeline.evaluation import slices
from pipeline.gate import checks, repeated_cv, schema_compatibility, wear
from pipeline.gate.checks import Check
from pipeline.gate.decision import Decision, decide
from pipeline.gate.evidence import Evidence, gather, recent_half
from pipeline.registry import history
from pipeline.tables import atomic_files


def judge(revision: str, limits: Gate, schema_may_change: bool = False) -> Decision:
    """Decide on the workspace's model against the champion of `revision`; nothing is written.

    Raises PipelineError where it cannot be decided: a file or a metric is missing or contradicts another.
    """
    evidence = gather(revision)
    about = evidence.challenger.description
    md5, split = atomic_files.digest(paths.MODEL, "md5"), atomic_files.digest(paths.TEST)
    rows = wear.sketch(evidence.table, about.schema.columns)
    looks = wear.looks(history.read(), split, rows, md5)
    decision = decide(
        evidence.current,
        evidence.new[:, 0],
        evidence.actual,
        limits,
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
        "looks": looks,
    }
    notes = (*evidence.notes, *_notes(evidence, limits, looks))
    return decision._replace(notes=notes, hashes=hashes, metrics_diff=evidence.metrics_diff)


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


def _notes(evidence: Evidence, limits: Gate, looks: list[str]) -> Iterator[str]:
    if evidence.champion is None:
        return
    if looks:
        yield wear.sentence(looks)
    if limits.policy == "non_inferior" and not evidence.challenger.description.schema.with_role("time"):
        yield "The schema has no time column: nothing says which rows are recent, so all must be better."
    yield repeated_cv.sentence(evidence.champion.content, paths.MODEL.read_bytes())
