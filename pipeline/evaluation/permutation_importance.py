"""Permutation importance: the increase of RMSE when the values of one feature are shuffled among the rows."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.evaluation.metrics import rmse


class Importance(NamedTuple):
    """The `increase` of RMSE, in the target's unit, as the mean over the shuffles; `spread` is their standard
    deviation."""

    feature: str
    increase: float
    spread: float


def permute(
    predict: Callable[[np.ndarray], np.ndarray],
    matrix: np.ndarray,
    actual: np.ndarray,
    features: dict[str, list[int]],
    repeats: int,
    seed: int,
) -> list[Importance]:
    """Return the importance of each feature, the largest first (Breiman 2001, section 10; Fisher, Rudin and Dominici
    2019).

    `predict` takes a matrix [rows, columns] and returns predictions [rows]. `features`: the positions of the columns of
    each, which are shuffled together. All features see the same shuffles, so that luck does not rank them. Features
    with the same information each look unimportant.
    """
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(actual)) for _ in range(repeats)]
    before = rmse(actual, predict(matrix))
    found = []
    for name, places in features.items():
        shuffled = matrix.copy()
        increases = []
        for order in orders:
            shuffled[:, places] = matrix[order][:, places]
            increases.append(rmse(actual, predict(shuffled)) - before)
        found.append(Importance(name, float(np.mean(increases)), float(np.std(increases))))
    return sorted(found, key=lambda importance: -importance.increase)


def plot_data(importances: list[Importance]) -> pd.DataFrame:
    """Return a row for each feature; `low` and `high` are one standard deviation around the increase."""
    rows = [(i.feature, i.increase, i.increase - i.spread, i.increase + i.spread) for i in importances]
    return pd.DataFrame(rows, columns=["feature", "increase", "low", "high"])


def as_json(importances: list[Importance]) -> dict[str, dict[str, float]]:
    """Return increase and spread by feature for models/importance.json; processors differ beyond six digits."""
    return {
        i.feature: {"increase": float(f"{i.increase:.6g}"), "spread": float(f"{i.spread:.6g}")} for i in importances
    }
