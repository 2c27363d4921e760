"""The settings that a search tries: all combinations of a grid, or of a large one some that are spread evenly."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

from scipy.stats import qmc

from pipeline.contract.params import Grid
from pipeline.training import families
from pipeline.training.cross_validation import Hyperparameters


def candidates(grid: Grid, most: int, seed: int, free: tuple[str, ...] = ()) -> list[Hyperparameters]:
    """Return all combinations of a grid's values where they are at most that many, else `most` of them.

    These are the points of a scrambled Halton sequence (Owen 2017), which fill the grid more evenly than independent
    draws. Names in `free`, whose values cost no fit, do not count: all of them are combined with each point.
    """
    counted = {name: values for name, values in grid.items() if name not in free}
    if math.prod(map(len, counted.values())) <= most:
        return combinations(grid)
    points = qmc.Halton(len(counted), rng=seed).random(most)
    drawn = [
        {name: counted[name][int(place * len(counted[name]))] for name, place in zip(counted, point, strict=True)}
        for point in points
    ]
    every = combinations({name: values for name, values in grid.items() if name in free})
    return [{name: {**some, **more}[name] for name in grid} for some in drawn for more in every]


def combinations(grid: dict[str, list[Any]]) -> list[Hyperparameters]:
    """Return every combination of a grid's values; the last name changes fastest."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def settings_tried(grids: Mapping[str, Grid], most: int) -> int:
    """Return the number of settings that cost a fit, at most `most` of a family: a model was chosen of so many.

    Raises PipelineError for an unknown family.
    """
    counted = [
        math.prod(len(values) for name, values in grid.items() if name not in families.get(family).sharing.names)
        for family, grid in grids.items()
    ]
    return sum(min(each, most) for each in counted)
