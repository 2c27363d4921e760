"""A permutation test of the correlations between features, which no test of single features can see."""

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.tables import sampling

SEED = 0
PERMUTATIONS = 1_999
ROWS = 1_000  # of each side: bounds time


class CorrelationChange(NamedTuple):
    """The pair of features whose rank correlation differs most, that correlation on both sides, and the p-value of so
    large a difference anywhere."""

    pair: tuple[str, str]
    reference: float
    live: float
    p_value: float


def compare(reference: pd.DataFrame, live: pd.DataFrame) -> CorrelationChange | None:
    """Test the largest absolute difference of Spearman correlations over all pairs of columns; None with less than
    two columns or rows.

    The columns of both are numbers with NaN for missing. At most ROWS rows of each side count. A column with less than
    two values on a side is left out.
    When nothing changed, the labels "reference" and "live" are exchangeable, whatever the distribution, so permuting
    them gives a valid p-value. Ranks are of the pooled rows. A correlation is of the rows that have both values, so
    more missing values alone do not change it.
    """
    sides = [side.iloc[sampling.sample(side.index.to_series(), ROWS)] for side in (reference, live)]
    names = [name for name in reference if min(side[name].count() for side in sides) > 1]
    if len(names) < 2:
        return None
    ranks = stats.rankdata(pd.concat(sides)[names].to_numpy(float), axis=0, nan_policy="omit")
    centred = np.nan_to_num(ranks - np.nanmean(ranks, axis=0))
    centred /= np.maximum(centred.std(axis=0), 1e-12)
    pairs = list(itertools.combinations(range(len(names)), 2))
    terms, places = _terms(centred, ~np.isnan(ranks), pairs)
    # A correlation needs sums over the rows of a side, and one matrix product gives those of every permutation.
    sums = _labels(*map(len, sides)) @ terms
    theirs, ours = (_correlations(side, places) for side in (sums, terms.sum(axis=0) - sums))
    change = np.abs(theirs - ours)
    worst = int(change[0].argmax())
    first, second = (names[k] for k in pairs[worst])
    return CorrelationChange((first, second), float(ours[0, worst]), float(theirs[0, worst]), _p_value(change))


def _labels(n: int, m: int) -> np.ndarray:
    """Return labels [1 + PERMUTATIONS, n + m], 1 for the m live rows: as they are, then permuted."""
    drawn = np.random.default_rng(SEED).random((PERMUTATIONS, n + m), dtype=np.float32)
    permuted = drawn <= np.partition(drawn, m - 1, axis=1)[:, [m - 1]]
    return np.vstack([np.arange(n + m) >= n, permuted]).astype(float)


def _terms(centred: np.ndarray, known: np.ndarray, pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return columns [rows, terms] to sum up, and the places [6, pairs] of those that a pair needs: rows with both
    values, and in these the first value, the second, their squares, and their product."""
    complete = [known[:, k].all() for k in range(known.shape[1])]
    terms: dict[tuple[str, int, int], np.ndarray] = {}
    keys = []
    for i, j in pairs:
        x, y = centred[:, i] * known[:, j], centred[:, j] * known[:, i]
        # A partner without missing values (-1) leaves out no row, so pairs with such partners share their columns.
        a, b = (-1 if complete[k] else k for k in (i, j))
        own = {("rows", a, b): known[:, i] * known[:, j], ("value", i, b): x, ("value", j, a): y}
        own |= {("square", i, b): x**2, ("square", j, a): y**2, ("product", i, j): x * y}
        terms |= own
        keys.append(list(own))
    place = {key: k for k, key in enumerate(terms)}
    return np.column_stack(list(terms.values())), np.array([[place[key] for key in own] for own in keys]).T


def _correlations(sums: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return correlations [permutations, pairs] from sums [permutations, terms]; 0 where a value is constant."""
    rows, x, y, xx, yy, xy = (sums[:, place] for place in places)
    count = np.maximum(rows, 1.0)
    below = np.sqrt(np.maximum(xx / count - (x / count) ** 2, 0.0) * np.maximum(yy / count - (y / count) ** 2, 0.0))
    return np.where(below > 1e-9, (xy / count - x * y / count**2) / np.maximum(below, 1e-9), 0.0)


def _p_value(change: np.ndarray) -> float:
    """Return the p-value of the largest change: (b + 1) / (B + 1) (Phipson and Smyth 2010). The first row [pairs] holds
    the changes that were found, the others those of the permutations.

    Windows that spend little alpha need p-values below the resolution of the permutations. Where no permutation comes
    near, each pair's tail is therefore taken as normal, which such sums over random halves approach (Hájek 1961), with
    Bonferroni's factor.
    """
    largest = change.max(axis=1)
    resolved = float((1 + (largest[1:] >= largest[0] - 1e-12).sum()) / len(change))
    if resolved > 1 / len(change):
        return resolved
    # The root mean square of an absolute difference around 0 is the standard deviation of the difference.
    scale = np.sqrt(np.square(change[1:]).mean(axis=0))
    tail = 2 * stats.norm.sf(change[0] / np.maximum(scale, 1e-12)).min() * change.shape[1]
    return min(resolved, float(tail))
