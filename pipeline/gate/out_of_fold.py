"""The errors of two models on the training rows, out of fold, made comparable with those on test rows.

Two things set them apart from errors on fresh rows, and each is allowed for:

- The rows share the models' training rows, so that their mean varies more than the rows' own spread shows (Bates,
  Hastie and Tibshirani 2024, Cross-validation: What Does It Estimate and How Well Does It Do It?).
- The challenger's settings are the best of several on the same rows, by luck in part, and other folds do not undo that
  (Cawley and Talbot 2010, On Over-fitting in Model Selection, section 5).
"""

from typing import NamedTuple

import numpy as np
from scipy import special

from pipeline.gate.paired_test import log_ratio_error

# Factor on the width of an interval from cross-validation; docs/decisions/0021-gate-evidence.md has the simulations.
WIDENING = 1.25


class OutOfFold(NamedTuple):
    """Squared errors [rows, 2] of champion and challenger, each fitted again without the row; `settings`: of how many
    settings each of the two was chosen on these rows."""

    squared: np.ndarray
    settings: tuple[int, int] = (1, 1)


def allowance(found: OutOfFold) -> float:
    """Return the logarithm of the RMSE ratio by which the challenger looks better than it is if all settings are equal.

    In standard errors of the difference, that is the expected largest of as many normal variables as settings (Blom
    1958), less that of the champion's number, over the square root of 2: a difference of two varies more than each.
    """
    champion, challenger = found.squared.T
    if np.array_equal(champion, challenger):
        return 0.0
    before, after = (special.ndtri((m - 0.375) / (m + 0.25)) for m in found.settings)
    return float(max(after - before, 0.0) / np.sqrt(2) * log_ratio_error(champion, challenger))


def allowed(found: OutOfFold) -> np.ndarray:
    """Return the squared errors [rows, 2] with the challenger's raised by the allowance."""
    return found.squared * [1.0, np.exp(2 * allowance(found))]


def widening(test_rows: int, rows: int) -> float:
    """Return the factor for an interval from test rows and out-of-fold rows together."""
    return float(np.sqrt((test_rows + WIDENING**2 * rows) / (test_rows + rows)))
