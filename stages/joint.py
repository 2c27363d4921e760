"""Do features still move together as they did? A permutation test that sees what no test of single features can."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from stages import rows

SEED = 0
PERMUTATIONS = 1_999
# Rows of each side and features: with these the test takes about as long at any size of the tables.
ROWS = 1_000
FEATURES = 30


class Joint(NamedTuple):
    """The pair of features whose rank correlation differs most, that correlation on both sides, and the p-value of so
    large a difference anywhere."""

    pair: tuple[str, str]
    reference: float
    live: float
    p_value: float

    @property
    def change(self) -> float:
        return self.live - self.reference


def compare(reference: pd.DataFrame, live: pd.DataFrame) -> Joint | None:
    """Test the largest absolute difference of Spearman correlations over all pairs of columns; None with less than
    two columns or rows.

    The columns of both, at most FEATURES, are numbers with NaN for missing; of each side ROWS rows at most count.
    Under no change the labels "reference" and "live" are exchangeable, whatever the distribution, so their seeded
    permutation gives an honest p-value. Ranks are of the pooled rows; a missing value has the middle rank.
    """
    names, sides = list(reference)[:FEATURES], [_some(reference), _some(live)]
    n, m = map(len, sides)
    if len(names) < 2 or min(n, m) < 2:
        return None
    ranks = stats.rankdata(pd.concat(sides)[names].to_numpy(float), axis=0, nan_policy="omit")
    centred = np.nan_to_num(ranks - np.nanmean(ranks, axis=0, where=~np.isnan(ranks).all(axis=0)))
    centred /= np.maximum(centred.std(axis=0), 1e-12)
    first, second = np.triu_indices(len(names), 1)
    # A correlation needs sums over the rows of a side, and one matrix product gives those of every permutation.
    terms = np.column_stack([centred, centred**2, centred[:, first] * centred[:, second]])
    labels = np.zeros((PERMUTATIONS + 1, n + m))
    labels[0, n:] = 1.0
    labels[1:] = _permuted(n, m)
    sums = labels @ terms
    theirs = _correlations(sums / m, first, second)
    ours = _correlations((terms.sum(axis=0) - sums) / n, first, second)
    change = np.abs(theirs - ours)
    worst = int(change[0].argmax())
    p = _p_value(change)
    return Joint((names[first[worst]], names[second[worst]]), float(ours[0, worst]), float(theirs[0, worst]), p)


def _some(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[rows.sample(table.index.to_series(), ROWS)]


def _permuted(n: int, m: int) -> np.ndarray:
    """Row by row, which m of n + m rows are the live ones."""
    generator = np.random.default_rng(SEED)
    drawn = generator.random((PERMUTATIONS, n + m), dtype=np.float32)
    return (drawn <= np.partition(drawn, m - 1, axis=1)[:, [m - 1]]).astype(float)


def _correlations(means: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[permutations, pairs] from the means of values, squares and products; 0 where a feature is constant."""
    count = int(max(second)) + 1
    mean, square, product = np.split(means, [count, 2 * count], axis=1)
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    below = spread[:, first] * spread[:, second]
    above = product - mean[:, first] * mean[:, second]
    return np.where(below > 1e-9, above / np.maximum(below, 1e-9), 0.0)


def _p_value(change: np.ndarray) -> float:
    """The first row [pairs] is what was found, the others are the permutations'.

    (b + 1) / (B + 1) (Phipson and Smyth 2010). Where no permutation comes near, each pair's tail is taken as normal,
    which such sums over random halves approach (Hájek 1961), with Bonferroni's factor: checks that spend little alpha
    each need p-values below the resolution of the permutations.
    """
    largest = change.max(axis=1)
    resolved = float((1 + (largest[1:] >= largest[0] - 1e-12).sum()) / len(change))
    if resolved > 1 / len(change):
        return resolved
    # The root mean square of an absolute difference around 0 is the standard deviation of the difference.
    scale = np.sqrt(np.square(change[1:]).mean(axis=0))
    tail = 2 * stats.norm.sf(change[0] / np.maximum(scale, 1e-12)).min() * change.shape[1]
    return min(resolved, float(tail))
