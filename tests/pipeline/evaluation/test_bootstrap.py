"""Intervals of the metrics, by full resamples and by the approximations for large test splits."""

import itertools

import numpy as np
import pytest

from pipeline.contract.params import Evaluate
from pipeline.evaluation import bootstrap, metrics, slices
from tests.houses import HOUSES, LIMITS, around, houses

ROWS = 12_000
MANY = Evaluate(seed=1, bootstrap_samples=1_000, level=0.95, importance_repeats=2)


def assert_equal_within_their_error(found: bootstrap.Interval, full: bootstrap.Interval, of: str) -> None:
    """A percentile of 1,000 resamples has a standard error of sqrt(0.025 * 0.975 / 1000) / 0.0584 = 0.085 standard
    errors of the metric, and the difference of two 0.12: three times that is allowed."""
    assert found is not None
    assert full is not None
    standard_error = (full[1] - full[0]) / (2 * 1.96)
    assert np.abs(np.subtract(found, full)).max() < 0.36 * standard_error, of


def test_every_metric_of_a_large_split_has_the_interval_of_full_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resamples of 10,000 or 2,500 of 12,000 skewed rows give every metric the same interval as full ones."""
    generator = np.random.default_rng(0)
    actual = generator.lognormal(3, 0.4, ROWS)
    predictions = np.outer(actual * generator.lognormal(0, 0.2, ROWS), [1, 0.8, 1.2])
    found = {}
    for most in (ROWS, bootstrap.MOST_ROWS, 2_500):
        monkeypatch.setattr(bootstrap, "MOST_ROWS", most)
        found[most] = bootstrap.intervals(actual, predictions, MANY)
    full = found.pop(ROWS)
    for approximate, name in itertools.product(found.values(), full):
        assert approximate[name] != full[name], name
        assert_equal_within_their_error(approximate[name], full[name], name)


def test_slices_of_a_large_split_have_the_interval_of_full_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The RMSE of each slice has the interval of full resamples: a slice may have some 40 rows, and heavy tails."""
    generator = np.random.default_rng(0)
    price = generator.lognormal(3, 0.4, ROWS)
    street = generator.choice(["north", "south", "missing"], ROWS, p=[0.7, 0.2967, 0.0033])
    table = houses(list(price), list(generator.random(ROWS) < 0.1), list(street))
    predictions = around(price + generator.standard_t(6, ROWS), 1.0)
    large = slices.measure(table, HOUSES, predictions, MANY)
    monkeypatch.setattr(bootstrap, "MOST_ROWS", ROWS)
    for found, full in zip(large, slices.measure(table, HOUSES, predictions, MANY), strict=True):
        assert found._replace(interval=None) == full._replace(interval=None)
        assert_equal_within_their_error(found.interval, full.interval, found.name)
    assert min(found.n for found in large) < 50


@pytest.mark.parametrize("squared", [[0.0, 0.0], [0.0, 4.0], [4.0] * 5, [0.0] * 99 + [1e9]])
@pytest.mark.parametrize("approximate", [False, True])
def test_any_errors_have_a_finite_interval(squared: list[float], approximate: bool) -> None:
    """Perfect, one-sided, equal and extreme errors have an interval around their RMSE."""
    low, high = bootstrap.rmse_interval(np.array(squared), MANY, approximate) or (np.nan, np.nan)
    assert 0 <= low <= np.sqrt(np.mean(squared)) <= high < np.inf


@pytest.mark.parametrize("approximate", [False, True])
def test_the_interval_of_rmse_has_the_right_width(approximate: bool) -> None:
    """The interval is as wide as the standard error of the root of a mean says."""
    squared = np.random.default_rng(0).exponential(size=2_000)
    low, high = bootstrap.rmse_interval(squared, MANY, approximate) or (np.nan, np.nan)
    standard_error = squared.std() / np.sqrt(len(squared)) / (2 * np.sqrt(squared.mean()))
    assert (high - low) / (2 * 1.96) == pytest.approx(standard_error, rel=0.06)


def test_every_metric_has_an_interval_around_it() -> None:
    """Each defined metric has an interval that holds it, and an undefined one none."""
    generator = np.random.default_rng(0)
    actual = generator.uniform(10, 20, 80)
    predictions = around(actual + generator.normal(0, 1, 80))
    found, whole = bootstrap.intervals(actual, predictions, LIMITS), metrics.scores(actual, predictions)
    assert list(found) == list(whole)
    for name, value in whole.items():
        low, high = found[name] or (np.nan, np.nan)
        assert low - 1e-9 <= value <= high + 1e-9, name
    undefined = bootstrap.intervals(actual - 15, predictions - 15, LIMITS)
    assert {name for name, interval in undefined.items() if interval is None} == {"mape", "cod", "prd", "prb"}
