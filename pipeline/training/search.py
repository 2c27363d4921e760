"""The search for a family's best settings, by cross-validation inside the training split.

Budgets are numbers of rows and trees, never seconds, so that a search chooses the same on every machine: all settings
compete on at most `train.search_rows` rows, and first with few trees; each time the best third goes on with more
(successive halving: Jamieson and Talwalkar 2016). The winner's out-of-fold predictions come from all rows.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Train
from pipeline.contract.schema import Schema
from pipeline.distributed.executor import Executor
from pipeline.training import families, shared_trees, space
from pipeline.training.cross_validation import Hyperparameters, MakePipeline, Rows, cross_validate

FEW = 3  # settings that compete with all their trees at once


class FitRecord(NamedTuple):
    """The record of a search. RMSE and its standard error are in the target's unit.

    `out_of_fold` [training rows]: predictions by models that saw none of the row's fold; NaN where no fold holds it.
    `tried` counts the settings. `indicators`: positions of the features with a missing indicator.
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


class Choice(NamedTuple):
    """The best settings on the rows that were searched, and their out-of-fold predictions; else as in FitRecord.

    `sizes`: the best settings with each number of trees that competed to the end.
    """

    settings: Hyperparameters
    indicators: tuple[int, ...]
    out_of_fold: np.ndarray
    sizes: list[Hyperparameters]
    tried: int
    diverged: tuple[Hyperparameters, ...]


def search(rows: Rows, sample: Rows | None, schema: Schema, params: Train, family: str, run: Executor) -> FitRecord:
    """Return the family's best settings, by the squared error over all held rows together.

    `sample`: the rows that settings compete on, where these are not all `rows`. The number of trees is then chosen
    again on all rows, which costs no fit.
    Raises PipelineError for an unknown family or setting, and where every setting diverged.
    """
    kind = families.get(family)
    with progress_bar(family) as bar:
        chosen = choose(sample or rows, schema, params, family, run, bar)
        settings, predictions = chosen.settings, chosen.out_of_fold
        if sample:
            bounds = kind.bounds(params.families[family], len(rows.target), params)
            sizes = [{**each, **bounds} for each in chosen.sizes]
            make = _maker(schema, params, family, chosen.indicators)
            found = cross_validate(sizes, make, kind.sharing, rows, family, run, bar)
            best = _best(rows.squared_errors(found).mean(axis=-1), sizes, family)
            settings, predictions = sizes[best], found[best]
    squared = rows.squared_errors(predictions)
    cv_rmse = float(np.sqrt(squared.mean()))
    # The standard error of a root of a mean, by the delta method.
    error = float(squared.std(ddof=1) / np.sqrt(len(squared)) / (2 * cv_rmse)) if cv_rmse else 0.0
    return FitRecord(family, settings, cv_rmse, error, predictions, chosen.tried, chosen.indicators, chosen.diverged)


def choose(rows: Rows, schema: Schema, params: Train, family: str, run: Executor, bar: tqdm) -> Choice:
    """Return the family's settings with the lowest error on these rows, the first of equals.

    A missing indicator for each feature with missing values is tried last, and stays where it lowers that error.
    Raises PipelineError for an unknown family or setting, and where every setting diverged.
    """
    kind, grid = families.get(family), params.families[family]
    bounds = kind.bounds(grid, len(rows.target), params)
    tried = [{**each, **bounds} for each in space.candidates(grid, params.draws, params.seed, kind.sharing.names)]
    left, diverged = tried, []

    def compete(settings: list[Hyperparameters], indicators: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
        bar.set_postfix_str(f"{len(settings)} of {len(tried)} settings")
        make = _maker(schema, params, family, indicators)
        predictions = cross_validate(settings, make, kind.sharing, rows, family, run, bar)
        return predictions, rows.squared_errors(predictions).mean(axis=-1)

    for trees in kind.rungs:
        begun = [shared_trees.begun(each, trees) for each in left]
        if begun == left or len({repr(each) for each in begun}) <= FEW:
            continue
        _, errors = compete(begun)
        diverged += [each for each, error in zip(left, errors, strict=True) if not np.isfinite(error)]
        left = _best_third(left, errors)
    predictions, errors = compete(left)
    diverged += [each for each, error in zip(left, errors, strict=True) if not np.isfinite(error)]
    best = _best(errors, left, family)
    settings, out_of_fold = left[best], predictions[best]
    indicators: tuple[int, ...] = ()
    if with_missing := tuple(np.flatnonzero(np.isnan(rows.matrix).any(axis=0)).tolist()):
        (predicted,), (error,) = compete([settings], with_missing)
        if error < errors[best]:
            out_of_fold, indicators = predicted, with_missing
    sizes = [each for each in left if shared_trees.begun(each, 1) == shared_trees.begun(settings, 1)]
    return Choice(settings, indicators, out_of_fold, sizes, len(tried), tuple(diverged))


def progress_bar(family: str) -> tqdm:
    """Return a bar for the steps of a search: those of the rungs, all trees, missing indicators, all rows."""
    steps = len(families.get(family).rungs) + 3
    form = "{desc}: {percentage:3.0f}%|{bar}| {postfix} [{elapsed}<{remaining}]"
    return tqdm(desc=family, total=steps, bar_format=form, disable=None)


def _maker(schema: Schema, params: Train, family: str, indicators: tuple[int, ...]) -> MakePipeline:
    return partial(families.numeric_pipeline, schema, family, params.seed, indicators=indicators, device=params.device)


def _best_third(settings: list[Hyperparameters], errors: np.ndarray) -> list[Hyperparameters]:
    """Return the settings whose errors are in the lowest third of the distinct ones; all where none is finite."""
    levels = np.unique(errors[np.isfinite(errors)])
    worst = levels[: -(-len(levels) // 3)].max(initial=-np.inf) if len(levels) else np.inf
    return [each for each, error in zip(settings, errors, strict=True) if error <= worst]


def _best(errors: np.ndarray, settings: list[Hyperparameters], family: str) -> int:
    """Return the position of the lowest error, the first of equals."""
    if not np.isfinite(errors).any():
        raise PipelineError(
            f"params.yaml: train.families.{family}: no setting can be used, for each one predicts values that are not "
            f"finite in cross-validation: {', '.join(map(str, settings))}; try others, such as a lower learning rate"
        )
    return int(np.argmin(np.where(np.isfinite(errors), errors, np.inf)))
