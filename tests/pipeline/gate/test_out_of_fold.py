"""Evidence from the training rows: what it is allowed for, and what it adds to that of the test rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gate import out_of_fold, paired_test, render
from pipeline.gate.decision import decide
from pipeline.gate.out_of_fold import OutOfFold
from tests.pipeline.gate.test_decision import GATE, limits, predictions


def squared(rows: int, factor: float, seed: int) -> np.ndarray:
    champion, challenger, actual = predictions(rows, factor, seed)
    return np.square(np.column_stack([champion, challenger]) - actual[:, None])


@pytest.mark.parametrize("settings", [2, 24, 200])
def test_the_allowance_is_what_the_best_of_equal_settings_gains(settings: int) -> None:
    """Of settings that are all as good as the champion, the best looks better by the allowance, on average over 1,000
    tables; within a tenth where there are many."""
    generator = np.random.default_rng(settings)
    gained = []
    for _ in range(1_000):
        errors = np.square(generator.standard_normal((200, settings + 1)))
        best = 1 + int(np.argmin(errors[:, 1:].mean(axis=0)))
        pair = errors[:, [0, best]]
        change = np.log(pair[:, 1].mean() / pair[:, 0].mean()) / 2
        gained.append([-change, out_of_fold.allowance(OutOfFold(pair, (1, settings)))])
    found, allowed = np.mean(gained, axis=0)
    assert allowed == pytest.approx(found, rel=0.1 if settings > 2 else 0.15)


@given(st.integers(1, 1_000), st.floats(1e-6, 1e6), st.integers(0, 100))
def test_the_allowance_only_ever_raises(settings: int, unit: float, seed: int) -> None:
    """The challenger's errors rise by one factor, the more settings there were the more, whatever the unit; the
    champion's stay."""
    errors = squared(50, 0.9, seed)
    allowed = out_of_fold.allowed(OutOfFold(errors, (1, settings)))
    assert np.array_equal(allowed[:, 0], errors[:, 0])
    raised = allowed[:, 1] / errors[:, 1]
    assert raised == pytest.approx(np.full(50, raised[0]))
    assert raised[0] >= 1 - 1e-12
    assert out_of_fold.allowed(OutOfFold(errors, (1, settings + 1)))[:, 1].sum() >= allowed[:, 1].sum()
    assert out_of_fold.allowance(OutOfFold(errors * unit, (1, settings))) == pytest.approx(
        out_of_fold.allowance(OutOfFold(errors, (1, settings))), rel=1e-6
    )


def test_one_setting_and_equal_errors_need_no_allowance() -> None:
    """The errors of a recipe that was not chosen, or from no more settings than the champion, or is the champion's own,
    stay as they are."""
    errors = squared(50, 0.9, 0)
    for settings in ((1, 1), (24, 24), (24, 1)):
        assert out_of_fold.allowance(OutOfFold(errors, settings)) == 0
    same = np.column_stack([errors[:, 0], errors[:, 0]])
    assert out_of_fold.allowance(OutOfFold(same, (1, 24))) == 0


def test_an_interval_is_widened_in_logarithms() -> None:
    """Both bounds move away from the change by the factor, in logarithms, and the improvement that can be seen too."""
    plain, wide = (paired_test.compare(squared(100, 0.9, 0), 0.025, 4_999, 0, each) for each in (1.0, 1.5))
    assert wide.change == plain.change
    for bound in ("low", "high"):
        before, after = (np.log1p(getattr(each, bound)) - np.log1p(each.change) for each in (plain, wide))
        assert after == pytest.approx(1.5 * before)
    assert np.log1p(wide.detectable) == pytest.approx(1.5 * np.log1p(plain.detectable))
    assert wide.confidence < plain.confidence


def test_all_rows_show_what_the_test_rows_cannot() -> None:
    """A gain that 100 test rows leave open promotes with 400 rows out of fold; the evidence has a line for each kind of
    rows, the decisive one last, and the text shows them."""
    arrays = predictions(100, 0.87, seed=4)
    alone = decide(*arrays, GATE)
    both = decide(*arrays, GATE, refitted=OutOfFold(squared(400, 0.87, 5)))
    assert (alone.verdict, both.verdict) == ("inconclusive", "promote")
    assert {name: found.n for name, found in both.evidence.items()} == {
        "test rows": 100,
        "out of fold": 400,
        "all rows": 500,
    }
    assert both.comparison == both.evidence["all rows"]
    assert both.rmse_new == alone.rmse_new
    test, folds, everything = (both.evidence[name].detectable for name in both.evidence)
    assert test < folds < everything < 0
    for name in both.evidence:
        assert f"  {name} " in render.text(both)
        assert f"| {name} |" in render.as_markdown(both)


def test_out_of_fold_errors_can_keep_a_champion() -> None:
    """A challenger that is lucky on the test rows and worse by far out of fold is not promoted."""
    lucky = predictions(60, 0.7, seed=3)
    assert decide(*lucky, GATE).verdict == "promote"
    assert decide(*lucky, GATE, refitted=OutOfFold(squared(240, 1.3, 3))).verdict != "promote"


@pytest.mark.parametrize(
    ("factor", "changes", "expected"),
    [
        (0.93, {}, "promote"),
        (0.93, {"confidence": 0.9999}, "inconclusive"),
        (1.0, {}, "inconclusive"),
        (1.5, {}, "keep"),
    ],
)
def test_probably_better(factor: float, changes: dict[str, float], expected: str) -> None:
    """The policy promotes where the confidence in an improvement is enough and the interval ends below the margin,
    though `superior` would not; a model that is worse for certain is kept out."""
    arrays = predictions(250, factor, seed=22)
    assert decide(*arrays, limits(policy="probably_better", **changes)).verdict == expected
    assert decide(*arrays, GATE).verdict != "promote"


def test_probably_better_bounds_the_harm() -> None:
    """With few rows, confidence alone promotes nothing: the interval must end below the margin."""
    arrays = predictions(30, 0.8, seed=1)
    found = decide(*arrays, limits(policy="probably_better", margin=0.01))
    assert found.comparison.confidence > 0.9
    assert found.comparison.high > 0.01
    assert found.verdict == "inconclusive"
    assert decide(*arrays, limits(policy="probably_better", margin=0.5)).verdict == "promote"
