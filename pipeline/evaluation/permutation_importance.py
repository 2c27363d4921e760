"""Permutation importance: how much worse the model gets when one feature's values are shuffled among the rows."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.evaluation.metrics import rmse


class Importance(NamedTuple):
    """`increase` of RMSE by shuffling, in the target's unit: the mean over the repeats; `spread`: their standard
    deviation, that is, of one shuffle."""

    feature: str
    increase: float
    spread: float


def permute(
    predict: Callable[[np.ndarray], np.ndarray],
    matrix: np.ndarray,
    actual: np.ndarray,
    names: tuple[str, ...],
    repeats: int,
    seed: int,
) -> list[Importance]:
    """The importance of each column of the matrix [rows, features], the largest first (Breiman 2001, section 10;
    Fisher, Rudin and Dominici 2019).

    `predict`: a matrix to predictions [rows]. All columns see the same shuffles, so they differ by what they are and
    not by luck. Shuffling tells features apart that carry the same news only badly: each then looks unimportant.
    """
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(actual)) for _ in range(repeats)]
    before = rmse(actual, predict(matrix))
    found = []
    for place, name in enumerate(names):
        shuffled = matrix.copy()
        increases = []
        for order in orders:
            shuffled[:, place] = matrix[order, place]
            increases.append(rmse(actual, predict(shuffled)) - before)
        found.append(Importance(name, float(np.mean(increases)), float(np.std(increases))))
    return sorted(found, key=lambda importance: -importance.increase)


def plot_data(importances: list[Importance]) -> pd.DataFrame:
    """A row a feature; `low` and `high` are one standard deviation around the increase."""
    rows = [(i.feature, i.increase, i.increase - i.spread, i.increase + i.spread) for i in importances]
    return pd.DataFrame(rows, columns=["feature", "increase", "low", "high"])


def as_json(importances: list[Importance]) -> dict[str, dict[str, float]]:
    """Increase and spread by feature for models/importance.json; processors differ beyond six digits."""
    return {
        i.feature: {"increase": float(f"{i.increase:.6g}"), "spread": float(f"{i.spread:.6g}")} for i in importances
    }
