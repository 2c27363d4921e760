"""A permutation test of the correlations between features, which no test of single features can see."""

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
    Under no change the labels "reference" and "live" are exchangeable, whatever the distribution, so their seeded
    permutation gives a valid p-value. Ranks are of the pooled rows. A correlation is of the rows that have both
    values, so that more missing ones alone change none.
    """
    sides = [_some(reference), _some(live)]
    names = [name for name in reference if min(side[name].count() for side in sides) > 1]
    n, m = map(len, sides)
    if len(names) < 2:
        return None
    ranks = stats.rankdata(pd.concat(sides)[names].to_numpy(float), axis=0, nan_policy="omit")
    known = ~np.isnan(ranks)
    centred = np.nan_to_num(ranks - np.nanmean(ranks, axis=0))
    centred /= np.maximum(centred.std(axis=0), 1e-12)
    first, second = np.triu_indices(len(names), 1)
    terms, places = _terms(centred, known, first, second)
    labels = np.zeros((PERMUTATIONS + 1, n + m))
    labels[0, n:] = 1.0
    labels[1:] = _permuted(n, m)
    # A correlation needs sums over the rows of a side, and one matrix product gives those of every permutation.
    sums = labels @ terms
    theirs, ours = (_correlations(*(side[:, place] for place in places)) for side in (sums, terms.sum(axis=0) - sums))
    change = np.abs(theirs - ours)
    worst = int(change[0].argmax())
    p = _p_value(change)
    return CorrelationChange(
        (names[first[worst]], names[second[worst]]), float(ours[0, worst]), float(theirs[0, worst]), p
    )


def _some(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[sampling.sample(table.index.to_series(), ROWS)]


def _permuted(n: int, m: int) -> np.ndarray:
    """Labels [permutations, n + m]: 1 for the m rows that are drawn as live."""
    generator = np.random.default_rng(SEED)
    drawn = generator.random((PERMUTATIONS, n + m), dtype=np.float32)
    return (drawn <= np.partition(drawn, m - 1, axis=1)[:, [m - 1]]).astype(float)


def _terms(
    centred: np.ndarray, known: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Columns [rows, terms] to sum up, and the places of each pair's own columns: rows with both values, values of the
    first and of the second in them, their squares, and products. A partner without missing values leaves out no row,
    so such pairs share their columns."""
    masks = np.column_stack([known, np.ones(len(known), dtype=bool)])
    partner = np.where(known.all(axis=0), -1, np.arange(known.shape[1]))
    both, of_both = np.unique(np.column_stack([partner[first], partner[second]]), axis=0, return_inverse=True)
    sides = np.concatenate([np.column_stack([first, partner[second]]), np.column_stack([second, partner[first]])])
    one, of_one = np.unique(sides, axis=0, return_inverse=True)
    values = centred[:, one[:, 0]] * masks[:, one[:, 1]]
    terms = [masks[:, both].all(axis=2), values, values**2, centred[:, first] * centred[:, second]]
    starts = np.cumsum([0, *(term.shape[1] for term in terms)])
    x, y = np.split(of_one, 2)
    places = [of_both, starts[1] + x, starts[1] + y, starts[2] + x, starts[2] + y, starts[3] + np.arange(len(first))]
    return np.column_stack(terms).astype(float), places


def _correlations(
    rows: np.ndarray, x: np.ndarray, y: np.ndarray, xx: np.ndarray, yy: np.ndarray, xy: np.ndarray
) -> np.ndarray:
    """[permutations, pairs] from sums over the rows that have both values; 0 where one of them is constant."""
    count = np.maximum(rows, 1.0)
    below = np.sqrt(np.maximum(xx / count - (x / count) ** 2, 0.0) * np.maximum(yy / count - (y / count) ** 2, 0.0))
    return np.where(below > 1e-9, (xy / count - x * y / count**2) / np.maximum(below, 1e-9), 0.0)


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
