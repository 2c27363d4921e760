"""Grid search of one family by cross-validation inside the training split."""

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.contract.params import Train
from pipeline.contract.schema import Schema
from pipeline.training import families
from pipeline.training.cross_validation import Settings, Split, cross_validate


class FitRecord(NamedTuple):
    """How a fit came about. RMSEs are in the target's unit; `out_of_fold` is aligned with the training rows, each
    predicted by a model that saw none of its fold; `tried` counts the settings; `indicators` names the features whose
    missing values the model is told of, beside the value that replaces them."""

    family: str
    settings: dict[str, Any]
    cv_rmse: float
    cv_rmse_se: float
    out_of_fold: np.ndarray
    tried: int
    indicators: tuple[str, ...]


class Choice(NamedTuple):
    """What cross-validation chose: settings, the places of the features with a missing indicator, and its out-of-fold
    predictions [rows]; `tried` counts the settings."""

    settings: Settings
    indicators: tuple[int, ...]
    out_of_fold: np.ndarray
    tried: int


def search_grid(
    matrix: np.ndarray,
    target: np.ndarray,
    splits: list[Split],
    schema: Schema,
    params: Train,
    family: str,
    folder: Path | None,
) -> Choice:
    """What `choose` finds of the family's grid, by the squared error over all held rows together."""
    kind, grid = families.get(family), params.families[family]
    tried = combinations(kind.bounded(grid, len(target), params.max_leaves))
    out_of_fold: dict[str, np.ndarray] = {}

    def errors(settings: list[Settings], indicators: tuple[int, ...]) -> list[float]:
        make = partial(
            families.numeric_pipeline,
            schema.features,
            family,
            params.seed,
            indicators=indicators,
            device=params.device,
        )
        predictions = cross_validate(settings, make, kind.sharing, matrix, target, splits, family, folder)
        out_of_fold.update(zip((repr((each, indicators)) for each in settings), predictions, strict=True))
        # With a time, the first block is never held: its predictions are NaN.
        return [float(error) for error in np.nanmean(np.square(predictions - target), axis=1)]

    missing = tuple(np.flatnonzero(np.isnan(matrix).any(axis=0)).tolist())
    chosen = choose(errors, tried, kind.also, missing)
    return Choice(*chosen, out_of_fold[repr(chosen)], len(tried))


def combinations(grid: dict[str, list[Any]]) -> list[Settings]:
    """Every combination of a grid's settings, the last one changing fastest."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def choose(
    errors: Callable[[list[Settings], tuple[int, ...]], Sequence[float]],
    tried: list[Settings],
    also: Settings,
    missing: tuple[int, ...],
) -> tuple[Settings, tuple[int, ...]]:
    """The settings with the lowest error, the first of equals; then, where that lowers it further, with those of `also`
    that they do not name; then, where that does, with a missing indicator for the features at the places `missing`.

    `errors(settings, indicators)` cross-validates each of the settings with these missing indicators.
    """
    found = errors(tried, ())
    # So the order of the grid and not the order of finishing decides.
    best = int(np.argmin(found))
    settings, lowest = tried[best], found[best]
    if not also.keys() <= settings.keys():
        finer = {**also, **settings}
        (error,) = errors([finer], ())
        if error < lowest:
            settings, lowest = finer, error
    if missing and errors([settings], missing)[0] < lowest:
        return settings, missing
    return settings, ()
