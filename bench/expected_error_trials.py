"""Seeded trials of the expected error: both estimates, and the truth, under a shift of one or two features.

A trial draws a table, fits a model and its out-of-fold residuals on some rows, and draws live rows from other rows with
weights exp(strength * z): z is a standardised feature, or the sum of two. So target and features are related as before;
of a normal feature, strength is the shift in standard deviations. The truth is the model's weighted RMSE over its plain
one on all these other rows.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_predict
from xgboost import XGBRegressor

from bench import drift_samples
from pipeline.drift import learned_loss
from pipeline.drift.expected_loss import FEWEST, reweighted

POOL = 20_000  # rows that live rows are drawn from
# Trials of each cell by the numbers of reference and live rows: of generated tables, and of the shipped one, where the
# 200 rows that are not in the reference are the pool. More where no shift changes the error: false alarms are rare.
GENERATED, GENERATED_EVEN = {(400, 200): 30, (2_000, 1_000): 5}, {(400, 200): 12, (2_000, 1_000): 2}
SHIPPED, SHIPPED_EVEN = {(306, 200): 30}, {(306, 200): 12}

Rows = tuple[np.ndarray, np.ndarray]


class Table(NamedTuple):
    """A table: its rows by number and generator, the model, the features that shift, and the trials. `even`: the errors
    are of one size everywhere, so that no shift changes them. `shuffled`: made so by shuffling the residuals."""

    draw: Callable[[int, np.random.Generator], Rows]
    model: Callable[[], RegressorMixin]
    shifts: tuple[tuple[int, ...], ...]
    trials: dict[tuple[int, int], int]
    even: bool = False
    shuffled: bool = False


class Trial(NamedTuple):
    """Ratios of RMSE: the true one, and those of the estimates with their intervals."""

    truth: float
    weighted: dict[str, float]
    learned: dict[str, float]

    @property
    def said(self) -> bool:
        """True where the weighted estimate has enough rows to be shown."""
        return self.weighted["effective_rows"] >= FEWEST


def linear(rows: int, generator: np.random.Generator) -> Rows:
    """Eight normal features, noise of one size."""
    x = generator.normal(size=(rows, 8))
    return x, x @ [3, 2, 1, 1, 0.5, 0, 0, 0] + generator.normal(size=rows)


def friedman(rows: int, generator: np.random.Generator, slope: float = 2.5) -> Rows:
    """Friedman 1 (1991): ten uniform features, of which five have no effect. The noise grows with the fourth."""
    x = generator.random((rows, 10))
    signal = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return x, signal + (0.5 + slope * x[:, 3]) * generator.normal(size=rows)


def boston(rows: int, generator: np.random.Generator) -> Rows:
    """The shipped table in random order."""
    table = drift_samples.table().sample(frac=1, random_state=generator)
    return table.drop(columns=drift_samples.TARGET).to_numpy(float), table[drift_samples.TARGET].to_numpy(float)


def boosted() -> XGBRegressor:
    return XGBRegressor(n_estimators=50, max_depth=3, learning_rate=0.2, n_jobs=1)


LSTAT_RM = ((12,), (12, 5))
TABLES = {
    "Friedman, noise grows with the shifted feature": Table(friedman, boosted, ((3,), (3, 0)), GENERATED),
    "Boston, LSTAT; LSTAT and RM": Table(boston, boosted, LSTAT_RM, SHIPPED),
    "linear": Table(linear, Ridge, ((0,), (0, 2)), GENERATED_EVEN, even=True),
    "Friedman, features without effect": Table(friedman, boosted, ((6,), (6, 7)), GENERATED_EVEN, even=True),
    "Boston, shuffled residuals": Table(boston, boosted, LSTAT_RM, SHIPPED_EVEN, even=True, shuffled=True),
}


def trial(table: Table, rows: tuple[int, int], shift: tuple[int, ...], strength: float, seed: list[int]) -> Trial:
    """Make one trial with `rows` of reference and live."""
    generator = np.random.default_rng(seed)
    x, y = table.draw(rows[0] + POOL, generator)
    (ours, pool), (known, target) = ((side[: rows[0]], side[rows[0] :]) for side in (x, y))
    fold = cross_val_predict(table.model(), ours, known, cv=KFold(5))
    predicted = table.model().fit(ours, known).predict(pool)
    residuals, errors = known - fold, np.square(target - predicted)
    if table.shuffled:
        residuals, errors = generator.permutation(residuals), np.ones(len(errors))
    z = ((pool - pool.mean(axis=0)) / pool.std(axis=0))[:, list(shift)].sum(axis=1)
    weights = np.exp(strength * (z - z.max()))
    live = generator.choice(len(pool), rows[1], p=weights / weights.sum())
    learned = learned_loss.estimate(
        np.column_stack([ours, fold]), np.column_stack([pool[live], predicted[live]]), residuals
    )
    truth = float(np.sqrt(np.average(errors, weights=weights) / errors.mean()))
    return Trial(truth, reweighted(ours, pool[live], residuals), learned)
