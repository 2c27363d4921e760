"""The evidence of a judgement: both models' predictions of today's test rows, checked against the recorded metrics."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.number_text import figure
from pipeline.contract.onnx_model import Model
from pipeline.contract.schema import Schema
from pipeline.contract.wording import counted
from pipeline.evaluation import metrics
from pipeline.gate import recorded_metrics, unseen_rows
from pipeline.gate.champion import Champion, find_champion
from pipeline.gate.comparable import check_columns, known_rows
from pipeline.gate.recorded_metrics import RecordedMetrics
from pipeline.registry.champion_record import recorded_md5
from pipeline.registry.recorded_outputs import outputs_at
from pipeline.tables import atomic_files, sampling
from pipeline.tables.feature_matrix import to_matrix


class Evidence(NamedTuple):
    """The test rows that both models can answer, with the models' answers.

    `table` has typed rows, those of the test split first, then labelled live rows that neither model has learned from;
    `actual` [rows] is their target, `new` [rows, 3] the challenger's prediction, lower and upper, `current` [rows] the
    champion's prediction. `champion` and `current` are None where there is no champion.
    `metrics_diff` is the table of the recorded metrics, of which the RMSEs were checked.
    """

    table: pd.DataFrame
    actual: np.ndarray
    challenger: Model
    new: np.ndarray
    champion: Champion | None
    current: np.ndarray | None
    notes: tuple[str, ...]
    metrics_diff: str


def gather(revision: str) -> Evidence:
    """Score the workspace's model and the champion of `revision` on today's test split.

    Raises PipelineError where a file or a metric is missing or contradicts another.
    """
    # The recorded metrics come first: they cost nothing, and without both there is no verdict.
    is_first = recorded_md5(revision) is None
    recorded = recorded_metrics.compare(revision)
    written, written_before = recorded.new_rmse, None if is_first else recorded.old_rmse
    table, challenger = sampling.judged_rows(paths.TEST), Model.load(paths.MODEL)
    target = challenger.description.schema.target.name
    actual = table[target].to_numpy(float)
    new = challenger.predict(to_matrix(table, challenger.description.columns))
    scored = metrics.rmse(actual, new[:, 0])
    if not _equal(written, scored):
        raise PipelineError(
            f"could not decide: {paths.EVALUATE_METRICS} records rmse {written}, but {paths.MODEL} scores {scored} on "
            "the test split: run `dvc repro` so that they belong together"
        )
    champion = find_champion(revision, lambda schema, name: check_columns(schema, name, table, target))
    if champion is None or written_before is None:
        return Evidence(table, actual, challenger, new, None, None, (), recorded.table())
    live, unusable = unseen_rows.labelled(challenger.description.schema)
    table = pd.concat([table.assign(is_live=False), live.assign(is_live=True)], ignore_index=True)
    known = known_rows(champion.model.description.schema, champion.model.name, table)
    table, left_out = table[known].reset_index(drop=True), int((~known).sum())
    actual, is_live = table[target].to_numpy(float), table.pop("is_live").to_numpy(bool)
    new = challenger.predict(to_matrix(table, challenger.description.columns))
    current = champion.model.predict(to_matrix(table, champion.model.description.columns))[:, 0]
    scored = metrics.rmse(actual[~is_live], current[~is_live])
    _check_champion(champion, scored, recorded)
    notes = [champion.note] if champion.note else []
    if n := int(is_live.sum()):
        count = "counts as a test row" if n == 1 else "count as test rows"
        notes.append(f"{counted(n, 'labelled live row')} that neither model has seen {count}.")
    if len(unusable):
        notes.append(f"{counted(len(unusable), 'labelled live row')} cannot be used ({_reasons(unusable)}).")
    if not _equal(written_before, scored):
        figure_before = f"The RMSE recorded at {revision}, {figure(written_before)}"
        notes.append(f"{figure_before}, is of another model or test split: it is not used.")
    if left_out:
        unknown = f"{counted(left_out, 'row')} with a category that the champion does not know"
        notes.append(f"{unknown} {'is' if left_out == 1 else 'are'} left out.")
    return Evidence(table, actual, challenger, new, champion, current, tuple(notes), recorded.table())


def _reasons(unusable: pd.Series) -> str:
    return "; ".join(f"{count}: {reason}" for reason, count in unusable.value_counts().items())


def recent_half(table: pd.DataFrame, schema: Schema) -> np.ndarray | None:
    """Mark the most recent half of the rows, those of one moment together; None where the schema has no time."""
    for time in schema.with_role("time"):
        return (table[time.name].rank(method="max", pct=True) > 0.5).to_numpy(bool)
    return None


def _check_champion(champion: Champion, scored: float, recorded: RecordedMetrics) -> None:
    """Compare with the RMSE recorded by the run that made the champion, where that had today's test split."""
    commit, split = champion.commit, atomic_files.digest(paths.TEST, "md5")
    if commit is None or champion.note or outputs_at(commit).get(paths.TEST.as_posix()) != split:
        return
    if commit != recorded.revision:
        recorded = recorded_metrics.compare(commit)
    if not _equal(written := recorded.old_rmse, scored):
        raise PipelineError(
            f"could not decide: {paths.EVALUATE_METRICS} at {commit} records rmse {written}, but on the same test "
            f"split the champion scores {scored}: that commit does not hold what its run made; name another --champion"
        )


def _equal(written: float, scored: float) -> bool:
    # The same file on the same rows: only the order of adding up may differ between machines.
    return abs(written - scored) <= 1e-6 * scored
