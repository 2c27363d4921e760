"""Ten digits: what a processor decides goes, everything else stays."""

import numpy as np

from pipeline.tables import digits


def test_values_keep_ten_digits_of_a_size() -> None:
    """The first of the ten digits is that of the size, whatever the values; no zero is negative."""
    values = np.array([12.3456789012345, -1e-12, 0.1 + 0.2, np.nan, np.inf])
    assert digits.rounded(values, 20.0).tolist()[:3] == [12.34567890, 0.0, 0.3]
    assert not np.signbit(digits.rounded(values, 20.0)[1])
    assert np.array_equal(digits.rounded(values, 2e6)[:4], [12.346, 0.0, 0.3, np.nan], equal_nan=True)
    assert digits.rounded(np.array([123_456_789_012.0]), 3e11).tolist() == [123_456_789_000.0]


def test_without_a_size_nothing_changes() -> None:
    """Where all values of a target are equal there is no size, and models that diverge have no digits to keep."""
    values = np.array([0.1 + 0.2, 1e300, -np.inf])
    assert digits.rounded(values, 0.0) is values
    assert digits.rounded(values, np.inf) is values
    assert not np.isfinite(digits.rounded(values, 1.0)[1:]).any()


def test_figures_keep_ten_significant_digits() -> None:
    """Numbers with a point are rounded, in lists and objects too; counts, texts and absent figures stay."""
    figures = {"rmse": 2.8212742121065837, "n": 12_345_678_901, "ci": (0.1 + 0.2, None), "name": "x", "ok": True}
    wanted = {"rmse": 2.821274212, "n": 12_345_678_901, "ci": (0.3, None), "name": "x", "ok": True}
    assert digits.significant(figures) == wanted


def test_a_gap_is_a_power_of_ten() -> None:
    """A gap is the next power of ten, and one below ten digits of the size is no difference."""
    assert digits.power_of_ten_above(8.4e-5, 9.0) == 1e-4
    assert digits.power_of_ten_above(1e-4, 9.0) == 1e-4
    assert digits.power_of_ten_above(7e-15, 9.0) == digits.power_of_ten_above(0.0, 9.0) == 1e-9
    assert digits.power_of_ten_above(0.0, 0.0) == 0.0
