"""Numbers as text for people."""

import pytest

from pipeline.contract import number_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.8213, "2.821"),
        (2.5, "2.500"),
        (0.0012, "0.001200"),
        (-0.00012345, "-0.0001234"),
        (240_000, "240,000"),
        (243_512.7, "243,500"),
        (-999.96, "-1,000"),
        (0.99996, "1.000"),
        (0.0, "0"),
        (3e-12, "3.000e-12"),
        (1.5e300, "1.500e+300"),
        (None, "not defined"),
        (float("nan"), "not defined"),
        (float("inf"), "not defined"),
    ],
)
def test_a_figure_has_four_significant_digits(value: float | None, text: str) -> None:
    """A measured number has four significant digits whatever its size, and what is no number says so."""
    assert number_text.figure(value) == text


@pytest.mark.parametrize(("value", "text"), [(2.496, "2.50"), (0.0012, "0.00120"), (240_000, "240,000")])
def test_the_number_of_digits_can_be_given(value: float, text: str) -> None:
    """The gate's first line has three significant digits."""
    assert number_text.figure(value, 3) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.26169, "0.26169"),
        (18.0, "18"),
        (11.340000000000002, "11.34"),
        (20_210_315, "20210315"),
        (12_345_678.25, "12345678"),
        (1_000_000, "1000000"),
        (-40, "-40"),
        (0, "0"),
        (0.00000001, "1e-08"),
        (1e16, "1e+16"),
    ],
)
def test_a_value_is_written_as_people_type_it(value: float, text: str) -> None:
    """A bound or a value of a column has neither commas nor closing zeros, and its whole part is never rounded away."""
    assert number_text.plain(value) == text


def test_values_that_differ_little_are_told_apart() -> None:
    """A target of ten million that varies by one is written with the digits in which it varies."""
    assert number_text.plain(9_999_999.7, 4, spread=1) == "9999999.7"


@pytest.mark.parametrize(("spread", "digits"), [(9.35, 2), (0.02, 4), (250_000, 0), (100, 0), (0, 2)])
def test_digits_after_the_point_follow_the_spread(spread: float, digits: int) -> None:
    """A prediction has the digits that say something beside the spread of the target."""
    assert number_text.decimals(spread) == digits


def test_a_share_that_is_no_number_says_so() -> None:
    """No text has `nan%`."""
    assert [number_text.share(value) for value in (0.8123, -0.5, float("nan"))] == ["81.2%", "-50.0%", "not defined"]
