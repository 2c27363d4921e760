"""The search for a family's best settings, by cross-validation inside the training split.

Settings compete on at most `train.search_rows` rows, and first with few trees, after which the best third goes on with
more (successive halving: Jamieson and Talwalkar 2016). The winner's out-of-fold predictions come from all rows.
`pipeline.training.budgets` has the limits for large and wide tables.
"""

from typing import NamedTuple

import numpy as np

from pipeline.contract.columns import positions
from pipeline.contract.errors import PipelineError
from pipeline.contract.number_text import figure
from pipeline.contract.params import Train
from pipeline.contract.schema import Schema
from pipeline.distributed.executor import Executor
from pipeline.training import budgets, families, shared_trees, space
from pipeline.training.competition import Competition, progress_bar
from pipeline.training.cross_validation import Hyperparameters, Rows, rmse

FEW = 3  # settings that compete with all their trees at once


class FitRecord(NamedTuple):
    """The record of a search. RMSE and its standard error are in the target's unit.

    `out_of_fold` [training rows]: predictions by models that saw none of the row's fold; NaN where no fold holds it.
    `tried` counts the settings. `indicators`: positions of the matrix columns with a missing indicator.
    `diverged`: settings that lost because a prediction was not finite.
    """

    family: str
    settings: Hyperparameters
    cv_rmse: float
    cv_rmse_se: float
    out_of_fold: np.ndarray
    tried: int
    indicators: tuple[int, ...]
    diverged: tuple[Hyperparameters, ...] = ()


def search(rows: Rows, sample: Rows | None, schema: Schema, params: Train, family: str, run: Executor) -> FitRecord:
    """Return the family's settings with the lowest squared error over the held rows together, the first of equals.

    `sample`: the rows that settings compete on, where these are not all `rows`. The family's `finalists` then compete
    on all rows, with each of their numbers of trees, which costs no fit. A missing indicator for each feature with
    missing values is tried with the best, and stays where it lowers the error. Settings are compared on the folds that
    `budgets.divide` gives; the best one is fitted in all.
    Raises PipelineError for an unknown family or setting, a target that is always the same, too small a sample, and
    where every setting diverged.
    """
    _check(rows, sample, schema, params)
    kind, grid = families.get(family), params.families[family]
    tried = space.candidates(grid, params.max_settings, params.seed, kind.sharing.names)
    with progress_bar(family) as bar:
        compete = Competition(schema, params, family, run, bar)
        left = _finalists(compete, sample or rows, tried, kind.finalists if sample else None)
        best, indicators, out_of_fold = _winner(compete, rows, left)
        bar.update(bar.total - bar.n)
    settings = {**best, **compete.bounds(rows)}
    cv_rmse, se = rmse(rows.squared_errors(out_of_fold))
    return FitRecord(family, settings, cv_rmse, se, out_of_fold, len(tried), indicators, tuple(compete.diverged))


def _check(rows: Rows, sample: Rows | None, schema: Schema, params: Train) -> None:
    if (rows.target == rows.target[0]).all():
        raise PipelineError(
            f"column {schema.target.name} is {figure(rows.target[0])} in all {len(rows.target):,} training rows: there "
            "is nothing to predict; give role target to another column in data/schema.yaml"
        )
    if not (sample or rows).splits:
        raise PipelineError(
            f"params.yaml: train.search_rows = {params.search_rows}: of so few rows no fold can be predicted by the "
            "others: raise it"
        )


def _indicator_positions(is_missing: np.ndarray, schema: Schema) -> tuple[int, ...]:
    """Return the positions of the columns that stand for a feature with missing values, one each; `is_missing`
    [matrix columns]. The parts of a date are missing together."""
    return tuple(first for first, *_ in positions(schema.features).values() if is_missing[first])


def _finalists(
    compete: Competition, rows: Rows, tried: list[Hyperparameters], most: int | None
) -> list[Hyperparameters]:
    """Return the settings that are left after the competitions with few trees, or `most` of them, not counting those
    that differ in the number of trees alone."""
    left, errors, (rows, _) = tried, None, budgets.divide(rows, budgets.LOOK_ROWS)
    for trees in families.get(compete.family).rungs:
        begun = [shared_trees.begun(each, trees) for each in left]
        if begun == left or len({repr(each) for each in begun}) <= FEW:
            break
        _, errors = compete(rows, left, trees=trees)
        levels = np.unique(errors)
        left, errors = _up_to(levels[(len(levels) - 1) // 3], left, errors)
    if most and len(left) > most:
        if errors is None:
            _, errors = compete(rows, left)
        left, _ = _up_to(np.unique(errors)[:most].max(), left, errors)
    return left


def _winner(
    compete: Competition, rows: Rows, left: list[Hyperparameters]
) -> tuple[Hyperparameters, tuple[int, ...], np.ndarray]:
    """Return the best settings on all rows, the positions of the indicators that they take, and their out-of-fold
    predictions [rows].

    Raises PipelineError where all settings diverge.
    """
    compared, others = budgets.divide(rows, budgets.COMPARED_ROWS)
    is_forest = families.get(compete.family).is_forest
    trees = budgets.trees(rows.matrix.shape, compete.params.search_rows) if is_forest else None
    with_missing = _indicator_positions(np.isnan(rows.matrix).any(axis=0), compete.schema)
    predictions, errors = compete(compared, left, trees=trees)
    for best in np.argsort(errors, kind="stable"):
        if np.isinf(errors[best]):
            break
        indicators: tuple[int, ...] = ()
        out_of_fold = predictions[best]
        if with_missing:
            (predicted,), (error,) = compete(compared, [left[best]], with_missing, trees)
            if error < errors[best]:
                indicators, out_of_fold = with_missing, predicted
        if not others.splits:
            return left[best], indicators, out_of_fold
        (rest,), (error,) = compete(others, [left[best]], indicators, trees)
        if np.isfinite(error):  # else the next best one
            return left[best], indicators, np.where(np.isnan(out_of_fold), rest, out_of_fold)
    raise PipelineError(
        f"params.yaml: train.families.{compete.family}: no setting can be used, for each one predicts values that are "
        f"not finite in cross-validation: {', '.join(map(str, left))}; try others, such as a lower learning rate, or "
        "log_target: [false] where the target is not above 0"
    )


def _up_to(
    highest: float, settings: list[Hyperparameters], errors: np.ndarray
) -> tuple[list[Hyperparameters], np.ndarray]:
    """Return the settings whose errors are at most so high, and these errors."""
    kept = np.flatnonzero(errors <= highest)
    return [settings[each] for each in kept], errors[kept]
