"""Slices of the test split, on tables small enough to check by hand."""

import numpy as np
import pytest

from pipeline.evaluation import slices
from tests.houses import HOUSES, LIMITS, around, houses


def test_slices_by_hand() -> None:
    """Slices are the thirds of the target and each value of a bool or category feature, a missing value last; a
    category that is itself called "missing" is told apart, and a value without rows is left out."""
    table = houses(
        [1, 2, 3, 4, 5, 6], [True, False, None, True, False, None], ["north", "missing", None, *["north"] * 3]
    )
    errors = np.array([1.0, -1, 2, -2, 3, 3])
    found = slices.measure(table, HOUSES, around(table["price"].to_numpy() + errors), LIMITS)
    assert [(s.name, s.n) for s in found] == [
        ("price: low, to 2.667", 2),
        ("price: middle, to 4.333", 2),
        ("price: high, above 4.333", 2),
        ("garden: false", 2),
        ("garden: true", 2),
        ("garden: missing", 2),
        ("street: north", 4),
        ("street: 'missing'", 1),
        ("street: missing", 1),
    ]
    assert [s.rmse for s in found[:4]] == pytest.approx([1, 2, 3, np.sqrt(5)])
    assert [s.bias for s in found[:4]] == pytest.approx([0, 0, 3, 1])
    assert [s.coverage for s in found[:4]] == pytest.approx([1, 0, 0, 0.5])
    low, high = found[3].interval or (0, 0)
    assert (low, high) == pytest.approx((1, 3))
    assert found[7].interval is None


def test_an_excluded_feature_is_still_sliced_by() -> None:
    """A feature that features.exclude leaves out still has its slices; what the table does not have has none."""
    table = houses([1, 2, 3], [True, False, None], ["north"] * 3)
    found = slices.measure(table.drop(columns="street"), HOUSES.excluding(("garden",)), around(np.zeros(3)), LIMITS)
    assert [s.feature for s in found] == ["price"] * 3 + ["garden"] * 3


def test_terciles_keep_equal_values_together() -> None:
    """A target that never varies is one slice, not three."""
    table = houses([5, 5, 5, 5], [True] * 4, ["north"] * 4)
    found = slices.measure(table, HOUSES, around(np.full(4, 6.0)), LIMITS)
    assert [(s.feature, s.n, s.rmse) for s in found] == [("price", 4, 1.0), ("garden", 4, 1.0), ("street", 4, 1.0)]
