"""The expected error: the learned estimate beside the weighted one."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from bench.expected_error_trials import TABLES, trial
from pipeline.drift import learned_loss, metrics, page
from pipeline.drift.expected_loss import FEWEST
from stages.drift import compare
from tests.weather import DRIFT, WEATHER, weather


def sides(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return reference rows, live rows shifted by two standard deviations, residuals and the true ratio of RMSE. The
    residuals grow with the shifted feature up to a limit."""
    generator = np.random.default_rng(seed)
    ours, theirs = generator.normal(0, 1, (n, 3)), generator.normal([2, 0, 0], 1, (n, 3))
    spread = partial(np.interp, xp=[-1, 1], fp=[1, 3])
    residuals = spread(ours[:, 0]) * generator.normal(size=n)
    truth = np.sqrt(np.square(spread(theirs[:, 0])).mean() / np.square(spread(ours[:, 0])).mean())
    return ours, theirs, residuals, float(truth)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_learned_ratio_is_near_the_truth(seed: int) -> None:
    """Under a shift of two standard deviations the estimate is within 15 % of the truth, which its interval covers."""
    ours, theirs, residuals, truth = sides(1_000, seed)
    found = learned_loss.estimate(ours, theirs, residuals)
    assert found["ratio"] == pytest.approx(truth, rel=0.15)
    assert found["low"] < truth < found["high"]


def test_errors_of_one_size_are_expected_to_stay() -> None:
    """Where residuals do not depend on the features the interval covers 1, and so it does without any residual."""
    ours, theirs, _, _ = sides(400, 0)
    for residuals in (np.random.default_rng(1).normal(size=400), np.zeros(400)):
        found = learned_loss.estimate(ours, theirs, residuals)
        assert found["low"] <= 1 <= found["high"]


def test_wild_live_values_stop_nothing() -> None:
    """A value that single precision cannot hold counts as the largest of the reference."""
    ours, theirs, residuals, _ = sides(200, 0)
    wild, largest = theirs.copy(), theirs.copy()
    wild[0, 0], largest[0, 0] = 1e300, ours[:, 0].max() + 1
    assert learned_loss.estimate(ours, wild, residuals) == learned_loss.estimate(ours, largest, residuals)


def strong(rows: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return reference rows whose residuals are large where it is hot, and live rows at two standard deviations more
    heat, of which the reference has few."""
    hot = np.random.default_rng(0).normal(size=rows)
    reference = weather(rows, 0).assign(prediction=0.0, residual=lambda t: np.where(t["heat"] > 22, 5.0, 1.0) * hot)
    return reference, weather(300, 1).assign(prediction=0.0, heat=lambda t: t["heat"] + 10)


def test_a_shift_too_strong_for_weights_has_a_learned_error() -> None:
    """Where too few rows have weight, the report, the page and the metrics have the learned estimate; no `risk` follows
    from it, however high."""
    report = compare(*strong(300), WEATHER, DRIFT, importance={"heat": 2.0})
    loss = report["expected_loss"]
    assert "ratio" not in loss
    assert loss["effective_rows"] < FEWEST
    assert loss["learned"]["low"] > 1 + DRIFT.min_risk
    assert report["verdict"] == "shifted"
    shown, figures = page.render(report), metrics.metrics(report)
    assert "Weighted: cannot be said." in shown
    assert f"Learned: × {loss['learned']['ratio']:.2f}" in shown
    assert figures["expected_ratio"] is None
    assert figures["expected_learned_low"] == pytest.approx(loss["learned"]["low"], rel=1e-4)


def test_both_estimates_are_shown() -> None:
    """With both estimates the page shows both. With few reference rows there is none that is learned."""
    reference, rows = strong(2_000)
    both = compare(reference, rows, WEATHER, DRIFT, importance={"heat": 2.0})
    shown = page.render(both)
    assert f"Weighted: × {both['expected_loss']['ratio']:.2f}" in shown
    assert f"Learned: × {both['expected_loss']['learned']['ratio']:.2f}" in shown
    few = compare(reference.head(learned_loss.FEWEST - 1), rows, WEATHER, DRIFT, importance={"heat": 2.0})
    assert few["expected_loss"]["learned"] is None
    assert few["verdict"] == "shifted"
    assert "Learned" not in page.render(few)


@pytest.mark.slow
def test_calibration_and_false_alarms_of_the_learned_error() -> None:
    """In 16 seeded trials with strong shifts of one and two features that leave the error as it is, no rise is certain;
    in 6 that raise it the estimate is within 15 % of the truth on average."""
    name = "linear"
    quiet = [trial(TABLES[name], (400, 200), shift, 2.0, [1, k]) for shift in TABLES[name].shifts for k in range(8)]
    assert not [each for each in quiet if each.learned["low"] > 1 + DRIFT.min_risk]
    noisy = TABLES["Friedman, noise grows with the shifted feature"]
    found = [trial(noisy, (400, 200), shift, 2.0, [2, k]) for shift in noisy.shifts for k in range(3)]
    assert min(each.truth for each in found) > 1.2
    assert np.mean([np.log(each.learned["ratio"] / each.truth) for each in found]) == pytest.approx(0, abs=0.15)
