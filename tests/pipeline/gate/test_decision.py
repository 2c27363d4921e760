"""The gate's verdicts and checks, one by one."""

import re

import msgspec
import numpy as np
import pandas as pd
import pytest

from pipeline.contract.column import Column
from pipeline.contract.errors import PipelineError
from pipeline.contract.number_text import figure
from pipeline.contract.params import Gate
from pipeline.gate import checks, evidence, render
from pipeline.gate.checks import Check
from pipeline.gate.decision import decide
from tests.tables import make_schema

GATE = Gate(
    evidence="all",
    policy="superior",
    confidence=0.9,
    alpha=0.05,
    min_improvement=0,
    margin=0.05,
    min_skill=0.1,
    max_rmse=None,
    coverage_tolerance=0.05,
    min_slice_rows=30,
    max_slice_regression=0.1,
    seed=3,
    samples=999,
)


def limits(**changes: object) -> Gate:
    return msgspec.structs.replace(GATE, **changes)


def predictions(
    n: int, factor: float, seed: int, correlation: float = 0.5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(champion, challenger, actual); the challenger's errors are `factor` times as large."""
    generator = np.random.default_rng(seed)
    actual = generator.normal(0, 10, n)
    errors = generator.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], n)
    return actual + errors[:, 0], actual + factor * errors[:, 1], actual


def failed(checks: tuple[Check, ...]) -> list[str]:
    return [check.name for check in checks if check.passed is False]


@pytest.mark.parametrize(("factor", "expected"), [(0.5, "promote"), (2.0, "keep"), (1.0, "inconclusive")])
def test_verdicts(factor: float, expected: str) -> None:
    """A clearly better model is promoted, a clearly worse one kept out, and one like it is inconclusive, which is
    never called worse."""
    decision = decide(*predictions(100, factor, seed=2), GATE)
    assert decision.verdict == expected
    assert decision.comparison.low < decision.comparison.change < decision.comparison.high
    assert ("is worse" in render.text(decision)) == (expected == "keep")
    new = figure(decision.rmse_new, 3)
    assert render.first_line(decision) == f"RMSE new: {new} | current: {decision.rmse_current:.2f} | {expected}"


@pytest.mark.parametrize("policy", ["superior", "non_inferior"])
def test_the_same_predictions_keep_the_champion(policy: str) -> None:
    """A tie keeps the champion, under each policy."""
    champion, _, actual = predictions(100, 1, 0)
    recent = np.arange(100) >= 50
    assert decide(champion, champion.copy(), actual, limits(policy=policy), recent=recent).verdict == "keep"


def test_a_first_model_needs_its_floors_only() -> None:
    """Without a champion a model is promoted when it is better than the best constant and no worse than max_rmse."""
    _, challenger, actual = predictions(100, 1, 0)
    decision = decide(None, challenger, actual, GATE)
    assert (decision.verdict, decision.rmse_current) == ("promote", None)
    assert render.first_line(decision) == f"RMSE new: {figure(decision.rmse_new, 3)} | current: none | promote"
    assert failed(decide(None, np.zeros(100), actual, GATE).checks) == ["skill"]
    assert failed(decide(None, challenger, actual, limits(max_rmse=0.5)).checks) == ["max_rmse"]
    assert decide(None, challenger, actual, limits(max_rmse=1.5)).verdict == "promote"


def test_a_first_model_that_is_worse_than_the_median_is_called_so() -> None:
    """Without a champion none stays: the verdict says how far RMSE is above that of always saying the median."""
    actual = np.array([1.0, 2, 3])
    said = render.text(decide(None, np.array([1.0, 2, 6]), actual, GATE))
    assert said.splitlines()[:2] == [
        "RMSE new: 1.73 | current: none | keep",
        "There is still no champion: skill failed.",
    ]
    assert "RMSE is 112.1% above that of always saying the median, at least 10.0% below required" in said


@pytest.mark.parametrize(("scale", "shown"), [(0.0012, "0.00120"), (2.5, "2.50"), (240_000, "240,000")])
def test_the_first_line_has_three_significant_digits(scale: float, shown: str) -> None:
    """A target of 0.0012 does not show 0.00, and one of 240,000 no cents."""
    actual = scale * np.array([1.0, -1, 1, -1])
    assert render.first_line(decide(None, 0 * actual, actual, GATE)).startswith(f"RMSE new: {shown} | current: none")


@pytest.mark.parametrize(
    ("champion", "challenger", "actual"),
    [
        (None, [5.0, 5], [5.0, 5]),
        (None, [1.0, 2], [5.0, 5]),
        ([5.0, 5], [5.0, 6], [5.0, 5]),
        ([5.0, 5], [5.0, 5], [5.0, 5]),
        ([5.0, 6], [5.0, 5], [5.0, 5]),
        ([1.0], [2.0], [3.0]),
        ([1.0, 2], [np.inf, 2], [3.0, 4]),
        ([1.0, 2], [np.nan, 2], [3.0, 4]),
    ],
)
def test_no_verdict_has_a_percentage_that_is_no_number(
    champion: list[float] | None, challenger: list[float], actual: list[float]
) -> None:
    """A test split whose baseline has no error, a perfect champion or challenger, a single row and predictions that
    are no numbers are told in words: never `nan%`, `inf%` or `-81.2% below`."""
    arrays = [None if each is None else np.array(each) for each in (champion, challenger, actual)]
    slices = None
    if champion is not None:
        squared = np.square(np.column_stack(arrays[:2]) - arrays[2][:, None])  # type: ignore[arg-type,index]
        members = [("all", "rows", np.ones(len(actual), bool))]
        slices = checks.slices(members, squared, limits(min_slice_rows=1))
    said = render.text(decide(*arrays, GATE, further=[slices] if slices else []))  # type: ignore[misc]
    assert not re.search(r"(nan|inf)\b|is -", said)


@pytest.mark.parametrize("side", [0, 1])
def test_a_prediction_that_is_no_number_fails(side: int) -> None:
    """A NaN among the predictions of either model keeps the champion, and every form of the verdict can be written."""
    arrays = predictions(50, 0.5, 0)
    arrays[side][3] = np.nan
    decision = decide(*arrays, GATE)
    assert decision.verdict == "keep"
    assert "superior" in failed(decision.checks)
    assert render.as_json(decision)[["rmse_current", "rmse_new"][side]] is None
    assert "not a number" in render.as_markdown(decision)


def test_the_improvement_asked_for_must_be_certain() -> None:
    """The whole interval must be below -min_improvement. The verdict is inconclusive where only a part is; the check
    fails where none is."""
    arrays = predictions(400, 0.8, seed=2)
    assert decide(*arrays, GATE).verdict == "promote"
    little = decide(*arrays, limits(min_improvement=0.2))
    assert little.verdict == "inconclusive"
    assert "400 test rows are too few to decide superior" in render.reason(little)
    assert decide(*arrays, limits(min_improvement=0.5)).verdict == "keep"


def test_non_inferior_needs_the_recent_rows() -> None:
    """`non_inferior` promotes a model that is within the margin of all rows and better on the most recent ones, and
    no other; without a time it asks for an improvement on all rows."""
    champion, challenger, actual = predictions(2_000, 1.0, seed=4)
    recent = np.arange(2_000) >= 1_000
    policy = limits(policy="non_inferior", margin=0.1)
    assert decide(champion, challenger, actual, policy, recent=recent).verdict == "inconclusive"
    better = np.where(recent, actual + 0.8 * (challenger - actual), actual + 1.1 * (challenger - actual))
    assert decide(champion, better, actual, GATE).verdict != "promote"
    assert decide(champion, better, actual, policy, recent=recent).verdict == "promote"
    assert decide(champion, better, actual, policy, recent=None).verdict != "promote"
    worse = np.where(recent, actual + 0.8 * (challenger - actual), actual + 2 * (challenger - actual))
    assert failed(decide(champion, worse, actual, policy, recent=recent).checks) == ["non_inferior"]


def test_the_recent_rows_are_the_later_half() -> None:
    """Recent is the later half of the rows by the time column, dates or numbers, rows of one moment together."""
    dated = make_schema(
        Column("x", "float"), Column("at", "category", role="time"), Column("y", "float", role="target")
    )
    days = pd.to_datetime(["2024-03-01", "2024-01-01", "2024-02-01", "2024-04-01"], utc=True)
    assert evidence.recent_half(pd.DataFrame({"at": days}), dated).tolist() == [True, False, False, True]
    assert evidence.recent_half(pd.DataFrame({"at": [1, 2, 2, 2]}), dated).tolist() == [False, True, True, True]
    assert evidence.recent_half(pd.DataFrame({"at": [1]}), make_schema(Column("a", "float"))) is None


def test_arrays_must_be_of_the_same_rows() -> None:
    """Arrays of other shapes are refused: NumPy would stretch them and compare every row with every other."""
    champion, challenger, actual = predictions(10, 1, 0)
    for arrays in ((champion[:, None], challenger, actual), (champion, challenger[:9], actual), ([], [], [])):
        with pytest.raises(PipelineError, match="of the same rows"):
            decide(*map(np.asarray, arrays), GATE)


def test_markdown_is_a_table_for_a_pull_request() -> None:
    """The Markdown has the first line in bold, a row for each check and the remarks as a list."""
    further = [Check("schema_compatibility", False, "a | b is no longer known")]
    said = render.as_markdown(decide(*predictions(100, 0.5, 2), GATE, further=further))
    for words in (
        "| keep**\n",
        "\n| superior | pass | ",
        "\n| schema_compatibility | fail | a \\| b is no longer known |",
        "\n- ",
    ):
        assert words in said
