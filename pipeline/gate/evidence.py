"""What champion and challenger say of today's test split, after both were held against what was recorded of them."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import Model
from pipeline.contract.schema import Schema
from pipeline.evaluation import metrics
from pipeline.gate import champion as champions
from pipeline.gate import recorded
from pipeline.gate.champion import Champion
from pipeline.registry import champion_record
from pipeline.tables import atomic_files, sampling
from pipeline.tables.feature_matrix import to_matrix


class Contest(NamedTuple):
    """The test rows that both models can answer, the actual values [rows], the challenger and its answers [rows, 3],
    and the champion and its predictions [rows]: None where there is no champion."""

    table: pd.DataFrame
    actual: np.ndarray
    challenger: Model
    new: np.ndarray
    champion: Champion | None
    current: np.ndarray | None
    notes: tuple[str, ...]


def hold(revision: str) -> Contest:
    """The workspace's model against the champion of `revision`.

    Raises PipelineError where a file or a metric is missing or contradicts another.
    """
    # First what costs nothing: without the recorded metrics of both there is no verdict.
    written = recorded.rmse(None)
    wanted = None if champion_record.recorded_md5(revision) is None else recorded.rmse(revision)
    table, challenger = sampling.judged_rows(paths.TEST), Model.load(paths.MODEL)
    target = challenger.description.schema.target.name
    actual = table[target].to_numpy(float)
    new = challenger.predict(to_matrix(table, challenger.description.columns))
    _check_own(written, metrics.rmse(actual, new[:, 0]))
    champion = champions.find(revision)
    if champion is None or wanted is None:
        return Contest(table, actual, challenger, new, None, None, ())
    known = _answerable(champion.model, table, target)
    rows = table[known]
    current = champion.model.predict(to_matrix(rows, champion.model.description.columns))[:, 0]
    rescored = metrics.rmse(actual[known], current)
    _check_champion(champion, rescored)
    notes = [champion.note] if champion.note else []
    if not _equal(wanted, rescored):
        notes.append(
            f"The RMSE recorded at {revision}, {wanted:.4g}, is of another model or test split: both are scored anew."
        )
    if left := int((~known).sum()):
        notes.append(f"{left} rows are left out: they hold a category that the champion does not know.")
    return Contest(rows, actual[known], challenger, new[known], champion, current, tuple(notes))


def recent(table: pd.DataFrame, schema: Schema) -> np.ndarray | None:
    """The mask of the most recent half of the rows, those of one moment together; None where the schema has no time."""
    for time in schema.with_role("time"):
        return (table[time.name].rank(method="max", pct=True) > 0.5).to_numpy(bool)
    return None


def _check_own(written: float, rescored: float) -> None:
    if not _equal(written, rescored):
        raise PipelineError(
            f"could not decide: {paths.EVALUATE_METRICS} records rmse {written}, but {paths.MODEL} scores {rescored} on "
            "the test split: run `dvc repro` so that they belong together"
        )


def _check_champion(champion: Champion, rescored: float) -> None:
    """Where the run that made the champion scored it on today's test split, both must agree."""
    commit = champion.commit
    if (
        commit is None
        or champion.note
        or recorded.hashes(commit).get(paths.TEST.as_posix()) != atomic_files.digest(paths.TEST, "md5")
    ):
        return
    if not _equal(wanted := recorded.rmse(commit), rescored):
        raise PipelineError(
            f"could not decide: {paths.EVALUATE_METRICS} at {commit} records rmse {wanted}, but on the same test split "
            f"the champion scores {rescored}: that commit does not hold what its own run made; name another --champion"
        )


def _equal(written: float, rescored: float) -> bool:
    # The same file on the same rows: only the order of adding up may differ between machines.
    return abs(written - rescored) <= 1e-6 * rescored


def _answerable(champion: Model, table: pd.DataFrame, target: str) -> np.ndarray:
    """The rows whose categories the champion knows; a server would refuse the others.

    Raises PipelineError where it cannot be compared on this table at all.
    """
    about = champion.description
    missing = [column.name for column in about.columns if column.name not in table]
    known = np.ones(len(table), dtype=bool)
    for column in about.columns:
        if column.dtype == "category" and column.name in table:
            known &= (table[column.name].isin(column.categories) | table[column.name].isna()).to_numpy(bool)
    reason = ""
    if about.schema.target.name != target:
        reason = f"it predicts {about.schema.target.name}, the new model {target}"
    elif missing:
        reason = f"it needs {', '.join(missing)}, which today's rows do not have"
    elif not known.any():
        reason = "every row holds a category that it does not know"
    if reason:
        raise PipelineError(
            f"could not decide: {champion.name} cannot be compared: {reason}; where that is meant, promote with FORCE=1"
        )
    return known
