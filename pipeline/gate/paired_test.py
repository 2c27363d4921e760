"""A paired test of two models on the same rows: how much lower is the RMSE of one, and how sure is that?

The interval holds its level for heavy tails and correlated errors too; docs/gate.md has the measured error rates.
"""

from typing import NamedTuple

import numpy as np
from scipy import special

POWER = 0.8  # with which the smallest improvement that could have been seen would have been
# More rows than this are drawn in groups: equally exact, and the time does not grow with the rows.
MOST_UNITS = 10_000


class Comparison(NamedTuple):
    """The change of RMSE, new / current - 1, on `n` rows.

    `low` and `high` are its one-sided bounds at `alpha` each, infinite where the rows allow none. `detectable`, in the
    same unit, is the smallest improvement that would have been seen with POWER; None where the models do not differ at
    all. `same` means equal errors in every row. `confidence` is that in an improvement: 1 - the one-sided p-value.
    """

    change: float
    low: float
    high: float
    alpha: float
    detectable: float | None
    same: bool
    n: int
    confidence: float


def spent(alpha: float, earlier: int) -> float:
    """Return the part of `alpha` for a split that has judged `earlier` other models: alpha / (k (k + 1)) for the k-th.

    The parts add up to `alpha`, however many there are: over the life of a split, `alpha` bounds the chance of
    promoting a model that is no better (Bonferroni, with unequal parts).
    """
    return alpha / ((earlier + 1) * (earlier + 2))


def compare(squared: np.ndarray, alpha: float, samples: int, seed: int, widening: float = 1.0) -> Comparison:
    """Return the change of RMSE from champion to challenger: `squared` [rows, 2] has their errors in this order.

    The bounds are quantiles of the ratio over random halves of the rows (Hartigan 1969, Using subsample values as
    typical values). They invert the paired randomisation test that swaps the two models' squared errors row by row,
    after scaling by the ratio in question; that test is exact whatever the tails where swapping changes nothing but
    the names. `widening`: factor on the interval's width in logarithms, for rows that are not independent.
    """
    champion, challenger = squared.T
    same = bool(np.array_equal(champion, challenger))
    with np.errstate(divide="ignore", invalid="ignore"):  # of errors that are 0 or not finite
        sums = half_sums(squared, samples, seed)
        whole = challenger.mean() / champion.mean()
        ratio = sums[:, 1] / sums[:, 0]
        if widening != 1 and 0 < whole < np.inf:
            ratio = whole * (ratio / whole) ** widening
        change = 0.0 if same else float(np.sqrt(whole) - 1)
        detectable = _detectable(champion, challenger, alpha, widening)
    if not np.isfinite(squared).all():
        change = float("nan")
    return Comparison(change, *bounds(ratio, alpha), alpha, detectable, same, len(squared), float((ratio < 1).mean()))


def half_sums(squared: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """Sum over random halves of the rows (each row with chance 1/2): [rows, k] to [samples, k]."""
    units = min(len(squared), MOST_UNITS)
    place = np.arange(len(squared)) % units
    grouped = np.column_stack([np.bincount(place, weights=column) for column in squared.T])
    generator = np.random.default_rng(seed)
    # In blocks of about 10^7 draws, to keep memory flat.
    block = max(1, 10_000_000 // units)
    width = (units + 7) // 8
    parts = []
    for done in range(0, samples, block):
        drawn = generator.integers(0, 256, (min(block, samples - done), width), dtype=np.uint8)
        parts.append(np.unpackbits(drawn, axis=1, count=units).astype(float) @ grouped)
    return np.concatenate(parts)


def bounds(ratio: np.ndarray, alpha: float) -> tuple[float, float]:
    """Return the bounds of the change of RMSE, one-sided at `alpha` each, from ratios of squared errors over random
    halves [samples].

    The whole sample counts as one of the draws, so that the level holds at any number of them: with fewer than
    1 / alpha there is no bound.
    """
    # A half that is empty, or in which a model makes no error, must tighten no bound.
    up, down = np.sort(np.nan_to_num(ratio, nan=np.inf)), np.sort(np.nan_to_num(ratio, nan=0.0))
    rank = int(np.floor(alpha * (len(ratio) + 1) + 1e-9))
    if rank < 1:
        return -1.0, float("inf")
    return float(np.sqrt(down[rank - 1]) - 1), float(np.sqrt(up[-rank]) - 1)


def _detectable(champion: np.ndarray, challenger: np.ndarray, alpha: float, widening: float) -> float | None:
    """Return the improvement seen with POWER, by the normal distribution of the log ratio (delta method)."""
    new, current, n = challenger.mean(), champion.mean(), len(champion)
    if n < 2 or not (new > 0 and current > 0):
        return None
    steps = special.ndtri(1 - alpha) + special.ndtri(POWER)
    spread = log_ratio_error(champion, challenger)
    return float(np.exp(-steps * widening * spread) - 1) if spread > 0 else None


def log_ratio_error(champion: np.ndarray, challenger: np.ndarray) -> float:
    """Return the standard error of the logarithm of the ratio of two RMSEs, from squared errors [rows] of the same
    independent rows (delta method)."""
    difference = challenger / challenger.mean() - champion / champion.mean()
    return float(np.std(difference, ddof=1) / (2 * np.sqrt(len(champion))))
