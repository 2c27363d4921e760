"""scikit-learn's linear models with rounded coefficients: what LAPACK solves has last digits of the processor's, and
the fitted object, its out-of-fold predictions and its served form must come from the same numbers."""

from typing import Any, Self

import numpy as np
from sklearn import linear_model

from pipeline.tables import digits


class LinearRegression(linear_model.LinearRegression):
    """Ordinary least squares."""

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:  # noqa: N803
        super().fit(X, y, sample_weight)
        round_fit(self)
        return self


class Ridge(linear_model.Ridge):
    """Least squares with an L2 penalty."""

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:  # noqa: N803
        super().fit(X, y, sample_weight)
        round_fit(self)
        return self


def round_fit(model: Any) -> None:
    """Round what a fitted model has learned."""
    # A coefficient's error is a share of the largest one; the features have one scale.
    largest = np.abs(model.coef_).max(initial=0)
    model.coef_ = digits.rounded(model.coef_, largest)
    model.intercept_ = digits.rounded(model.intercept_, max(abs(model.intercept_), largest))
    if hasattr(model, "singular_"):  # the singular values of least squares, which the joblib file holds, too
        model.singular_ = digits.rounded(model.singular_, model.singular_.max(initial=0))
