"""The gate's interval against brute force and simulation: how often it errs, and what it sees."""

import itertools

import numpy as np
import pytest

from pipeline.gate import paired_test, render
from pipeline.gate.decision import decide
from tests.pipeline.gate.test_decision import GATE, predictions


def test_the_bound_is_that_of_the_randomisation_test() -> None:
    """The upper bound is where the exact test, over all 2^10 ways to swap the two models, begins to reject."""
    squared = np.random.default_rng(1).exponential(size=(10, 2)) * [1, 0.5]
    drawn = paired_test.compare(squared, 0.1, 200_000, 0).high

    def p_value(ratio: float) -> float:
        scaled = squared[:, 1] - (1 + ratio) ** 2 * squared[:, 0]
        signs = np.array(list(itertools.product([1, -1], repeat=10)))
        return float((signs @ scaled <= scaled.sum() + 1e-12).mean())

    assert p_value(drawn - 0.01) > 0.1
    assert p_value(drawn + 0.01) < 0.1


@pytest.mark.parametrize(("tails", "correlation"), [(None, 0.0), (None, 0.9), (3, 0.0), (3, 0.9)])
def test_equal_models_are_seldom_promoted(tails: int | None, correlation: float) -> None:
    """At most half of alpha, plus three standard errors, of 1,000 challengers as good as the champion (100 rows) have
    the whole interval below 0, and as many above: with light and heavy tails, independent and correlated errors."""
    generator = np.random.default_rng(5)
    errors = generator.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], (1_000, 100))
    if tails:
        errors /= np.sqrt(generator.chisquare(tails, (1_000, 100, 1)))
    sums = paired_test.half_sums(np.square(errors).transpose(1, 0, 2).reshape(100, -1), 999, seed=1)
    found = np.array([paired_test.bounds(sums[:, 2 * k + 1] / sums[:, 2 * k], 0.025) for k in range(1_000)])
    most = 0.025 + 3 * np.sqrt(0.025 * 0.975 / 1_000)
    assert (found[:, 1] < 0).mean() <= most
    assert (found[:, 0] > 0).mean() <= most


def test_the_rows_of_a_large_table_are_drawn_in_groups() -> None:
    """Above MOST_UNITS rows the interval is as wide as the standard error says: grouping rows loses nothing."""
    squared = np.random.default_rng(0).exponential(size=(25_000, 2))
    found = paired_test.compare(squared, 0.025, 2_000, 0)
    expected = (
        1.96 * (squared[:, 1] / squared[:, 1].mean() - squared[:, 0] / squared[:, 0].mean()).std() / 2 / 25_000**0.5
    )
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=0.1)


def test_the_smallest_visible_improvement_is_seen_as_often_as_promised() -> None:
    """Models that are better by what the gate says it would have seen are promoted in 80 % of the cases, about."""
    detectable = decide(*predictions(400, 1, 0), GATE).comparison.detectable
    seen = [decide(*predictions(400, 1 + detectable, seed), GATE).verdict == "promote" for seed in range(300)]
    assert np.mean(seen) == pytest.approx(0.8, abs=0.08)


def test_a_worn_split_is_tested_harder() -> None:
    """The parts of alpha add up to it; a promotion on a fresh split is none on a worn one, which the verdict says."""
    assert paired_test.spent(0.05, 0) == 0.025
    assert sum(paired_test.spent(0.05, k) for k in range(100_000)) == pytest.approx(0.05, rel=1e-4)
    arrays = predictions(100, 0.8, seed=2)
    assert decide(*arrays, GATE).verdict == "promote"
    worn = decide(*arrays, GATE, earlier=4)
    assert worn.verdict == "inconclusive"
    assert "have judged 4 other models before: tested at alpha 0.0017" in render.text(worn)
    # Alpha is then smaller than the random halves can resolve: there is no bound.
    worn_out = decide(*predictions(100, 0.1, 0), GATE, earlier=100)
    assert worn_out.verdict == "inconclusive"
    assert "allow no bound" in render.text(worn_out)
