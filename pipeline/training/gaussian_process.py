"""Gaussian process regression with a Matern 3/2 kernel of one length scale a column, for tables of some thousand rows.

The method is that of Rasmussen and Williams, Gaussian Processes for Machine Learning (2006): the kernel in equation
4.17, the marginal likelihood and its gradient in section 5.4. Priors of the hyperparameters make their estimate one of
maximum a posteriori: with many columns the likelihood alone overfits.
"""

from numbers import Integral
from typing import Self

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import euclidean_distances
from sklearn.utils import check_random_state, check_scalar, gen_batches
from threadpoolctl import threadpool_limits

from pipeline.tables import digits
from pipeline.training.normalising import centre_and_spread

SEARCH_ROWS = 1_000  # that hyperparameters are learned from: 500 take half of the time, and cost up to 3 % of RMSE
STEP = 0.1  # of a stored hyperparameter's logarithm: coarse, so that all processors find the same one
ROWS_AT_ONCE = 1_000  # of a prediction: each has a distance to every training row

# Mean and standard deviation of the prior of the logarithm of each length scale (in standard deviations of its column),
# and of the variances of the signal and of the noise (in that of the target); with them the bounds of a search.
LENGTH = (np.log(3.0), 1.0)
SIGNAL = (np.log(1.0), 1.5)
NOISE = (np.log(0.05), 1.5)
BOUNDS = [(np.log(1e-2), np.log(1e3)), (np.log(1e-2), np.log(1e2)), (np.log(1e-5), np.log(1e1))]


class GaussianProcess(RegressorMixin, BaseEstimator):
    """The mean of a Gaussian process: a constant and a weighted sum of each training row's kernel.

    `log_target`: learn the logarithm of the target. The prediction is then the exponential of the mean, which estimates
    the median. Where a target is not above 0, every prediction is NaN: a search leaves such a setting out.
    `max_rows`: of the training rows, at most, are kept; more are sampled.
    `random_state`: seed of the samples.

    A fit has `centre_`, and for each kept row its columns times `inverse_lengths_` in `points_` (float32, so that the
    model file is small) and `weights_`.
    """

    def __init__(self, log_target: bool = False, max_rows: int = 4_000, random_state: int | None = None) -> None:
        self.log_target = log_target
        self.max_rows = max_rows
        self.random_state = random_state

    def fit(self, matrix: np.ndarray, target: np.ndarray) -> Self:
        """Fit to prepared features [rows, columns] and their target [rows].

        Raises TypeError or ValueError for a parameter that is none.
        """
        check_scalar(self.log_target, "log_target", bool)
        check_scalar(self.max_rows, "max_rows", Integral, min_val=1)
        self.n_features_in_ = matrix.shape[1]
        if self.log_target and target.min() <= 0:
            return self._learn_nothing(matrix.shape[1])
        order = check_random_state(self.random_state).permutation(len(target))[: self.max_rows]
        matrix, target = matrix[order], target[order]
        values = np.log(target) if self.log_target else target
        self.centre_, spread = centre_and_spread(values)
        values = (values - self.centre_) / spread
        with threadpool_limits(1):  # two wait for each other at this size, and add up in another order
            theta = search(matrix[:SEARCH_ROWS], values[:SEARCH_ROWS])
            self.inverse_lengths_ = digits.coarse(np.sqrt(3) / np.exp(theta[:-2]))
            self.points_ = (matrix * self.inverse_lengths_).astype(np.float32)
            covariance = np.exp(theta[-2]) * kernel(self.points_.astype(float))
            covariance[np.diag_indices_from(covariance)] += np.exp(theta[-1])
            solved = cho_solve(cho_factor(covariance, lower=True, overwrite_a=True), values)
        self.weights_ = digits.coarse(spread * np.exp(theta[-2]) * solved)
        return self

    def _learn_nothing(self, columns: int) -> Self:
        self.centre_, self.weights_ = np.zeros(()), np.full(1, np.nan)
        self.inverse_lengths_, self.points_ = np.zeros(columns), np.zeros((1, columns), np.float32)
        return self

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """Predict the target [rows] of prepared features [rows, columns]."""
        points, predictions = self.points_.astype(float), np.empty(len(matrix))
        for rows in gen_batches(len(matrix), ROWS_AT_ONCE):
            predictions[rows] = kernel(matrix[rows] * self.inverse_lengths_, points) @ self.weights_
        predictions += self.centre_
        return np.exp(predictions) if self.log_target else predictions


def kernel(rows: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """Return the Matern 3/2 kernel [rows, others] of rows in units of the length scales over the root of 3."""
    distance = np.sqrt(euclidean_distances(rows, others, squared=True))
    return (1 + distance) * np.exp(-distance)


def search(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the most probable logarithms of the length scales and of the variances of signal and noise, in that order
    [columns + 2], as multiples of STEP."""
    columns = matrix.shape[1]
    start = np.array([LENGTH[0]] * columns + [SIGNAL[0], NOISE[0]])
    bounds = [BOUNDS[0]] * columns + BOUNDS[1:]
    found = minimize(loss, start, (matrix, target), method="L-BFGS-B", jac=True, bounds=bounds)
    return np.rint(found.x / STEP) * STEP


def loss(theta: np.ndarray, matrix: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the negative logarithm of the posterior density, but for a constant, and its gradient [columns + 2]."""
    signal, noise = np.exp(theta[-2:])
    scaled = matrix * (np.sqrt(3) / np.exp(theta[:-2]))
    distance = np.sqrt(euclidean_distances(scaled, squared=True))
    decay = signal * np.exp(-distance)
    covariance = (1 + distance) * decay
    covariance[np.diag_indices_from(covariance)] += noise
    factor = cho_factor(covariance, lower=True)
    solved = cho_solve(factor, target)
    value = target @ solved / 2 + np.log(np.diag(factor[0])).sum()
    # Half of the trace of `inner` times the derivative of the covariance is that of the value.
    lower, _ = dpotri(factor[0], lower=True)  # the inverse of the covariance, in half of the time of a solution
    inner = np.tril(lower) + np.tril(lower, -1).T - np.outer(solved, solved)
    # The derivative by a length scale is `decay` times the squared distance in its column alone; the square is
    # multiplied out, so that no array of rows x rows x columns is needed.
    weight = inner * decay
    by_length = weight.sum(axis=1) @ scaled**2 - (scaled * (weight @ scaled)).sum(axis=0)
    by_noise = noise * np.trace(inner) / 2
    by_signal = (len(target) - target @ solved) / 2 - by_noise
    mean, deviation = np.array([LENGTH] * matrix.shape[1] + [SIGNAL, NOISE]).T
    prior = (theta - mean) / deviation
    return value + prior @ prior / 2, np.append(by_length, [by_signal, by_noise]) + prior / deviation
