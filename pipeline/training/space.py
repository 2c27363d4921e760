"""The settings that a search tries: all combinations of a grid of lists, or random ones where ranges are among them."""

import itertools
from typing import Any

import numpy as np
from scipy.stats import qmc

from pipeline.contract.params import Grid, Range
from pipeline.training.cross_validation import Hyperparameters

DIGITS = 3  # of a number from a range: enough to tell settings apart, and the same on every processor


def candidates(grid: Grid, draws: int, seed: int, free: tuple[str, ...] = ()) -> list[Hyperparameters]:
    """Return all combinations of the lists of a grid, the last name changing fastest.

    With ranges, that many `draws` take the place of the combinations. They are points of a scrambled Halton sequence
    (Owen 2017), which fill the space more evenly than independent ones. A list of a name in `free`, which costs no fit,
    is still combined with each of them.
    """
    lists = {name: values for name, values in grid.items() if not isinstance(values, Range)}
    if len(lists) == len(grid):
        return combinations(lists)
    every = {name: values for name, values in lists.items() if name in free}
    drawn = [name for name in grid if name not in every]
    points = qmc.Halton(len(drawn), rng=seed).random(draws)
    places = [{name: _at(grid[name], place) for name, place in zip(drawn, point, strict=True)} for point in points]
    return [{name: {**some, **more}[name] for name in grid} for some in places for more in combinations(every)]


def combinations(grid: dict[str, list[Any]]) -> list[Hyperparameters]:
    """Return every combination of a grid's values; the last name changes fastest."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def _at(values: list[Any] | Range, place: float) -> Any:
    """Return the value at a place, from 0 to below 1, of a list or a range."""
    if not isinstance(values, Range):
        return values[int(place * len(values))]
    low, high = values.low, values.high
    if isinstance(low, int) and isinstance(high, int):
        low, high = low - 0.5, high + 0.5  # so that the ends are as likely as the others
    if values.log:
        value = float(np.exp(np.log(low) + place * (np.log(high) - np.log(low))))
    else:
        value = low + place * (high - low)
    if isinstance(values.low, int) and isinstance(values.high, int):
        return min(max(round(value), values.low), values.high)
    return min(max(float(f"{value:.{DIGITS}g}"), values.low), values.high)
