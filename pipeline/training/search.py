"""Grid search of one family by cross-validation inside the training split."""

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from pipeline.contract.columns import positions
from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Train
from pipeline.contract.schema import Schema
from pipeline.distributed.executor import Executor
from pipeline.training import families
from pipeline.training.cross_validation import Hyperparameters, Split, cross_validate


class FitRecord(NamedTuple):
    """The record of a grid search. RMSE and its standard error are in the target's unit.

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


def grid_search(
    matrix: np.ndarray,
    target: np.ndarray,
    splits: list[Split],
    schema: Schema,
    params: Train,
    family: str,
    run: Executor,
) -> FitRecord:
    """Return the family's best settings, by the squared error over all held rows together.

    Raises PipelineError for an unknown family or setting, and where every setting diverged.
    """
    sharing = families.get(family).sharing
    # With a time column no fold holds the first block.
    held = np.sort(np.concatenate([rows for _, rows in splits]))
    out_of_fold: dict[str, np.ndarray] = {}

    def squared_errors(each: list[Hyperparameters], indicators: tuple[int, ...]) -> list[float]:
        make = partial(
            families.numeric_pipeline, schema, family, params.seed, indicators=indicators, device=params.device
        )
        found = cross_validate(each, make, sharing, matrix, target, splits, family, run)
        out_of_fold.update(zip((repr((settings, indicators)) for settings in each), found, strict=True))
        with np.errstate(over="ignore", invalid="ignore"):  # of models that diverged
            return [float(np.square(predictions[held] - target[held]).mean()) for predictions in found]

    with_missing = indicator_positions(np.isnan(matrix).any(axis=0), schema)
    settings, indicators, tried, diverged = choose(family, params, len(target), with_missing, squared_errors)
    predictions = out_of_fold[repr((settings, indicators))]
    squared = np.square(predictions[held] - target[held])
    cv_rmse = float(np.sqrt(squared.mean()))
    # The standard error of a root of a mean, by the delta method.
    error = float(squared.std(ddof=1) / np.sqrt(len(squared)) / (2 * cv_rmse)) if cv_rmse else 0.0
    return FitRecord(family, settings, cv_rmse, error, predictions, tried, indicators, diverged)


def indicator_positions(is_missing: np.ndarray, schema: Schema) -> tuple[int, ...]:
    """Return the positions of the columns that stand for a feature with missing values, one each; `is_missing`
    [matrix columns]. The parts of a date are missing together."""
    return tuple(first for first, *_ in positions(schema.features).values() if is_missing[first])


def combinations(grid: dict[str, list[Any]]) -> list[Hyperparameters]:
    """Return every combination of a grid's values; the last name changes fastest."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def choose(
    family: str,
    params: Train,
    rows: int,
    with_missing: tuple[int, ...],
    squared_errors: Callable[[list[Hyperparameters], tuple[int, ...]], Sequence[float]],
) -> tuple[Hyperparameters, tuple[int, ...], int, tuple[Hyperparameters, ...]]:
    """Return the settings of the family's grid with the lowest error (the first of equals), the positions of the
    features that get a missing indicator, the number of settings, and those that diverged.

    `squared_errors(settings, indicators)` cross-validates each of the settings; one whose error is not finite loses.
    Two more trials follow, and stay where they lower the error: the family's `refine`, for what the settings do not
    name, then a missing indicator for each feature at the positions `with_missing`.
    Raises PipelineError where all settings of the grid lose.
    """
    kind = families.get(family)
    tried = combinations(kind.limit(params.families[family], rows, params.max_leaves))
    errors = np.array(squared_errors(tried, ()))
    finite = np.isfinite(errors)
    diverged = tuple(tried[position] for position in np.flatnonzero(~finite))
    if not finite.any():
        raise PipelineError(
            f"params.yaml: train.families.{family}: no setting can be used, for each one predicts values that are not "
            f"finite in cross-validation: {', '.join(map(str, diverged))}; try others, such as a lower learning rate"
        )
    best = int(np.argmin(np.where(finite, errors, np.inf)))
    settings, lowest = tried[best], errors[best]
    refined = {**kind.refine, **settings}
    if refined != settings:
        (error,) = squared_errors([refined], ())
        if error < lowest:
            settings, lowest = refined, error
    helps = bool(with_missing) and squared_errors([settings], with_missing)[0] < lowest
    return settings, with_missing if helps else (), len(tried), diverged
