"""The weights of a blend: convex, shrunk, and cross-fitted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from pipeline.training import blend
from pipeline.training.cross_validation import Split, rmse


def candidates(seed: int, noise: list[float], rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Predictions [rows, members] with independent errors of these sizes, and their target."""
    generator = np.random.default_rng(seed)
    target = generator.normal(20, 5, rows)
    return target[:, None] + generator.normal(size=(rows, len(noise))) * noise, target


def folds(rows: int, n: int = 5) -> list[Split]:
    fold = np.arange(rows) % n
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(n)]


sizes = st.lists(st.floats(0.1, 50), min_size=1, max_size=6)


@given(st.integers(0, 1000), sizes, st.floats(1e-6, 1e6), st.randoms(use_true_random=False))
def test_weights_are_convex_and_know_no_unit(seed: int, noise: list[float], unit: float, random) -> None:
    """Weights are at least 0 with the sum 1, and none is below LEAST but 0; a target in another unit and with another
    zero has the same ones, and members in another order keep theirs."""
    predictions, target = candidates(seed, noise)
    weights = blend.weigh(predictions, target)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert ((weights == 0) | (weights >= blend.LEAST - 1e-3)).all()
    assert blend.weigh(predictions * unit + 7 * unit, target * unit + 7 * unit) == pytest.approx(weights, abs=2e-3)
    order = random.sample(range(len(noise)), len(noise))
    assert blend.weigh(predictions[:, order], target) == pytest.approx(weights[order], abs=2e-3)


def test_the_weights_by_another_solver() -> None:
    """The weights are those of least squares with PSEUDO_ROWS more rows for each member, in which it alone errs, by as
    much as members differ from their mean; without the rule of parsimony."""
    predictions, target = candidates(0, [1.0, 1.5, 2.0])
    apart = np.sqrt(predictions.var(axis=1).mean())
    system = np.vstack([predictions - target[:, None], np.sqrt(blend.PSEUDO_ROWS) * apart * np.eye(3)])
    found = minimize(
        lambda weights: np.square(system @ weights).sum(),
        np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
    )
    assert blend.weigh(predictions, target, gain=-1) == pytest.approx(found.x, abs=1e-3)


def test_an_awful_member_spoils_nothing() -> None:
    """Next to a member that errs twenty times as much, two good ones have the weights that they have alone."""
    predictions, target = candidates(0, [1.0, 1.2, 20.0])
    found = blend.weigh(predictions, target)
    assert found[2] == 0
    assert found[:2] == pytest.approx(blend.weigh(predictions[:, :2], target), abs=2e-3)


def test_few_rows_and_perfect_members() -> None:
    """Without rows the weights are equal; a member without any error takes all."""
    predictions, target = candidates(0, [1.0, 1.0])
    assert blend.weigh(predictions[:0], target[:0]).tolist() == [0.5, 0.5]
    assert blend.weigh(np.column_stack([predictions[:, 0], target]), target).tolist() == [0, 1]


def test_a_member_that_adds_nothing_is_left_out() -> None:
    """A member whose errors are those of another one and more has no weight, though shrinkage would give it some."""
    predictions, target = candidates(0, [1.0, 1.0, 0.0])
    predictions[:, 2] = predictions[:, 0] + np.random.default_rng(1).normal(size=len(target))
    weights = blend.weigh(predictions, target)
    assert weights[2] == 0
    assert (weights[:2] > 0.3).all()


def test_no_fold_weighs_its_own_rows() -> None:
    """The blend in a fold does not depend on the fold's own targets: a member that is noise, fitted to them, gains
    nothing there."""
    predictions, target = candidates(2, [1.0, 2.0])
    fold = folds(len(target))[0][1]
    lucky = np.random.default_rng(3).normal(20, 5, len(target))
    lucky[fold] = target[fold]
    three = np.column_stack([predictions, lucky])
    found = blend.fit(three, target, folds(len(target)))
    other = target.copy()
    other[fold] += np.random.default_rng(4).normal(0, 10, len(fold))
    assert np.array_equal(blend.fit(three, other, folds(len(target))).predictions[fold], found.predictions[fold])
    assert rmse(np.square(found.predictions[fold] - target[fold]))[0] > 0.8


def test_the_error_of_a_blend_is_honest() -> None:
    """Of 8 members that are noise for 60 rows, the cross-fitted error is that on new rows, on average over 200 draws,
    while that on the very rows of the weights is smaller."""
    found = []
    for seed in range(200):
        predictions, target = candidates(seed, [5.0] * 8, rows=2060)
        known, answers = predictions[:60], target[:60]
        blended = blend.fit(known, answers, folds(60))
        errors = [blended.predictions - answers, known @ blended.weights - answers]
        found.append([np.square(each).mean() for each in (*errors, predictions[60:] @ blended.weights - target[60:])])
    cross_fitted, fitted, new = np.sqrt(np.mean(found, axis=0))
    assert cross_fitted == pytest.approx(new, rel=0.03)
    assert fitted < 0.97 * new


def test_with_a_time_weights_learn_from_the_past() -> None:
    """With folds that go forward, the first one has equal weights, each later one those of the rows before it, and rows
    that no fold holds have no prediction; the weights of the model come from all rows."""
    predictions, target = candidates(5, [1.0, 3.0], rows=300)
    predictions[:50] = np.nan  # the first block is only trained on
    fold = np.repeat(np.arange(6), 50)
    splits = [(np.flatnonzero(fold < k), np.flatnonzero(fold == k)) for k in range(1, 6)]
    found = blend.fit(predictions, target, splits)
    assert np.isnan(found.predictions[:50]).all()
    assert found.predictions[50:100] == pytest.approx(predictions[50:100].mean(axis=1))
    expected = predictions[200:250] @ blend.weigh(predictions[50:200], target[50:200], gain=0)
    assert found.predictions[200:250] == pytest.approx(expected)
    assert found.weights == pytest.approx(blend.weigh(predictions[50:], target[50:]))
