"""The workspace's model against the champion of a revision: all evidence, and the decision on it."""

from collections.abc import Iterator

import numpy as np

from pipeline.contract import paths
from pipeline.contract.params import Gate
from pipeline.evaluation import slices
from pipeline.gate import checks, evidence, repeated_cv, schema_compatibility
from pipeline.gate.checks import Check
from pipeline.gate.decision import Decision, decide
from pipeline.gate.evidence import Contest
from pipeline.registry import history
from pipeline.tables import atomic_files


def judge(revision: str, limits: Gate, contract_may_change: bool) -> tuple[Decision, dict[str, str | None]]:
    """The decision on the workspace's model against the champion of `revision`, and the hashes that it is about.

    Raises PipelineError where it cannot be decided: a file or a metric is missing or contradicts another.
    """
    held = evidence.hold(revision)
    md5, split = atomic_files.digest(paths.MODEL, "md5"), atomic_files.digest(paths.TEST)
    decision = decide(
        held.current,
        held.new[:, 0],
        held.actual,
        limits,
        earlier=history.earlier(history.read(), split, md5),
        median=held.challenger.description.training.target_median,
        recent=evidence.recent(held.table, held.challenger.description.schema),
        further=_checks_of_files(held, limits, contract_may_change),
    )
    hashes = {"challenger": md5, "champion": held.champion and held.champion.md5, "test": split}
    return decision._replace(notes=(*held.notes, *_notes(held, limits))), hashes


def _checks_of_files(held: Contest, limits: Gate, contract_may_change: bool) -> Iterator[Check]:
    """What predictions alone cannot say; the last two compare with a champion."""
    about = held.challenger.description
    yield checks.coverage(held.actual, held.new[:, 1], held.new[:, 2], about.interval.level, limits)
    yield checks.servable(paths.MODEL)
    if held.champion is not None and held.current is not None:
        squared = np.square(np.column_stack([held.current, held.new[:, 0]]) - held.actual[:, None])
        yield checks.slices(slices.members(held.table, about.schema, held.actual), squared, limits)
        yield checks.contract(
            schema_compatibility.narrower(held.champion.model.description.schema, about.schema), contract_may_change
        )


def _notes(held: Contest, limits: Gate) -> Iterator[str]:
    if held.champion is None:
        return
    ours = held.challenger.description
    if limits.policy == "non_inferior" and not ours.schema.with_role("time"):
        yield "The schema has no time column: nothing says which rows are recent, so all must be better."
    found = repeated_cv.evidence(held.champion.model.description, ours)
    yield f"Repeated cross-validation, change of RMSE: {found}."
