"""Conformal prediction intervals, as wide as the out-of-fold residuals of similar predictions are large."""

from typing import NamedTuple

import numpy as np

from pipeline.tables import digits
from pipeline.training.cross_validation import Split

PARTS = 20  # of the predictions, from low to high, at most
ROWS_PER_PART = 70  # at least; smaller parts follow the noise (docs/decisions/0009-intervals.md)
FLOOR = 0.2  # of the mean residual; added everywhere, so that no part has a width near zero
GAIN = 0.01  # share by which the members' disagreement must lower the score; less is noise


class Curve(NamedTuple):
    """`values` at `knots` (ascending), linear between them and constant beyond."""

    knots: np.ndarray
    values: np.ndarray

    def at(self, places: np.ndarray) -> np.ndarray:
        return np.interp(places, self.knots, self.values)


class HalfWidth(NamedTuple):
    """Half the width of the interval, in the target's unit: `size` of the prediction, for some blends times `factor` of
    the disagreement of their members."""

    size: Curve
    factor: Curve | None = None

    def at(self, predictions: np.ndarray, disagreement: np.ndarray) -> np.ndarray:
        """Return the half-width [rows] at predictions [rows] and the disagreement [rows] there."""
        return self.size.at(predictions) * (1.0 if self.factor is None else self.factor.at(disagreement))

    @property
    def method(self) -> str:
        """The calibration of the half-width, in words for people."""
        similar = "" if self.factor is None else " and at similar disagreement of the members"
        return f"out-of-fold residuals, in units of their mean size near the prediction{similar}"


def half_width(
    predictions: np.ndarray, residuals: np.ndarray, level: float, disagreement: np.ndarray | None = None
) -> HalfWidth:
    """Return the half-width that covers at least `level` of new rows, if their residuals are like these.

    Locally weighted conformal prediction (Lei, G'Sell, Rinaldo, Tibshirani and Wasserman 2018, section 5.2) with
    out-of-fold residuals in place of a split: residuals are divided by their mean size near the prediction, then, with
    `disagreement` [rows], by the mean of what is left near the disagreement; and the ceil((n + 1) level)-th smallest of
    them (the largest where n is too small) scales that size.
    Residuals that are NaN, of rows that no fold held, are left out.
    """
    held = ~np.isnan(residuals)
    predictions, sizes = predictions[held], np.abs(residuals[held])
    if not sizes.any():
        return HalfWidth(Curve(np.zeros(1), np.zeros(1)))
    size, factor = _local_mean(predictions, sizes), None
    scores = sizes / size.at(predictions)
    if disagreement is not None:
        factor = _local_mean(disagreement[held], scores)
        scores = scores / factor.at(disagreement[held])
    rank = min(int(np.ceil((len(scores) + 1) * level)), len(scores))
    values = digits.rounded(size.values * np.sort(scores)[rank - 1], sizes.max())
    return HalfWidth(Curve(size.knots, values), factor)


def better(
    predictions: np.ndarray, residuals: np.ndarray, disagreement: np.ndarray, level: float, splits: list[Split]
) -> HalfWidth:
    """Return the half-width with `disagreement` where that lowers the Winkler score (1972) by at least GAIN.

    The score is cross-fitted: the rows of each fold have the half-width of the rows that its split trains on.
    """
    held = ~np.isnan(residuals)
    scores = np.zeros(2)
    for train, apply in splits:
        known = train[held[train]]
        if not len(known):
            continue  # the first fold in time
        for place, apart in enumerate((None, disagreement[known])):
            half = half_width(predictions[known], residuals[known], level, apart)
            width = half.at(predictions[apply], disagreement[apply])
            outside = np.maximum(np.abs(residuals[apply]) - width, 0)
            scores[place] += (width + outside / (1 - level)).sum()  # half of the score
    return half_width(predictions, residuals, level, disagreement if scores[1] < (1 - GAIN) * scores[0] else None)


def _local_mean(places: np.ndarray, sizes: np.ndarray) -> Curve:
    """Return the mean size in each of PARTS parts of the places, and FLOOR of the whole mean more."""
    by_place = np.argsort(places, kind="stable")
    parts = np.array_split(by_place, min(PARTS, max(1, len(sizes) // ROWS_PER_PART)))
    # Two parts have the same knot where many places are the same: the first one stays.
    means = digits.rounded(np.array([places[part].mean() for part in parts]), places.std())
    knots, first = np.unique(means, return_index=True)
    values = np.array([sizes[part].mean() for part in parts])[first] + FLOOR * sizes.mean()
    return Curve(knots, digits.rounded(values, sizes.max()))
