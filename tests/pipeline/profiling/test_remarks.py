"""Remarks on cells and tables: each names the column, what was seen, and the key or the correction that mends it."""

import numpy as np
import pandas as pd
import pytest

from pipeline.profiling.inferred_schema import infer
from tests.describable import PRICES, ROWS, table

MIXED = np.random.default_rng(5)


def remarks(raw: pd.DataFrame, target: str = "price") -> list[str]:
    return [f"{each.name}: {each.topic}: {each.detail}" for each in infer(raw, target).remarks]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (
            [str(100_000 + 7919 * k % 800_000) for k in range(ROWS)],
            "hardly a number twice, all with as many digits; if they are ids or codes, use role ignore (or role id): "
            "60 different of 60",
        ),
        (
            ["-999", *(str(k % 31) for k in range(ROWS - 1))],
            "may mean missing; then add the keys missing and nullable: true, and correct min or max: 1 x '-999': "
            'missing: ["-999"]',
        ),
        (
            [f"\u2212{k}.5" if k % 9 == 0 else f"{k}.5" for k in range(ROWS)],
            "role ignore: its minus signs are \u2212 (U+2212); write -, then remove the role: such as '\u22120.5'",
        ),
        (
            ["-", *(f"{k}.5" for k in range(ROWS - 1))],
            "role ignore: some cells are no numbers; correct them, or if they mean missing add the keys missing and "
            "nullable: true; then remove the role: '-' (1 x): missing: [\"-\"]; first in row 0",
        ),
        (
            ["Caf\u00e9", "Cafe\u0301", "Bar"],
            "spellings that look alike are different categories; write one of them in the raw file: "
            "'Cafe\u0301' (20 x) and 'Caf\u00e9' (20 x), composed and decomposed letters",
        ),
        (
            ["Yes", "yes", "perhaps"],
            "spellings that look alike are different categories; write one of them in the raw file: "
            "'Yes' (20 x) and 'yes' (20 x)",
        ),
        (
            ["31.12.2020", "12/31/2020"],
            "role ignore: these dates are not all written in one way; write 2020-12-31, then remove the role: such as "
            "'31.12.2020'",
        ),
        (
            ["unknown", *(f"2020-02-{1 + k % 28:02}" for k in range(ROWS - 2)), "2020-02-30"],
            "role ignore: some cells are no dates written as ISO 8601; correct them, or if they mean missing add the "
            "keys missing and nullable: true; then remove the role: '2020-02-30', 'unknown': missing: "
            '["2020-02-30", "unknown"]; first in row 0',
        ),
        (
            [*(f"{1 + k % 28:02}/02/2020" for k in range(ROWS - 1)), "2020-02-01"],
            "role ignore: some cells are no dates written as %d/%m/%Y; correct them, or if they mean missing add the "
            "keys missing and nullable: true; then remove the role: '2020-02-01': missing: [\"2020-02-01\"]; first in "
            f"row {ROWS - 1}",
        ),
        (
            [f"2020-02-{1 + k % 28:02}" for k in range(ROWS)],
            "role time: the latest rows are the test split; with role feature it is random, which may flatter: "
            "2020-02-01 to 2020-02-28",
        ),
        (
            [*(f"2020-02-{1 + k % 28:02}" for k in range(ROWS - 1)), ""],
            "role feature: it could order the split (role time) if no cell were missing; a random split may flatter: ",
        ),
    ],
)
def test_a_remark_names_what_mends_it(cells: list[str], said: str) -> None:
    """Ids kept as quantities, sentinels, typographic minus signs, stray marks among numbers, spellings that look alike
    and dates have a remark each, with the key or the correction."""
    assert f"x: {said}" in remarks(table(x=cells))


@pytest.mark.parametrize(
    "cells",
    [
        [str(9 * k) for k in range(ROWS)],  # digits grow with the number
        ["-9", "99", *(str(k) for k in range(ROWS - 2))],  # nines among their like
        [str(1900 + k % 120) for k in range(ROWS)][:30] * 2,
        ["north", "south"],
    ],
)
def test_ordinary_cells_have_no_such_remark(cells: list[str]) -> None:
    """Counts, years, ages of 99 and distinct words are neither codes nor sentinels nor look-alikes."""
    said = " ".join(remarks(table(x=cells)))
    assert not [words for words in ("as many digits", "may mean missing", "look alike") if words in said]


def test_a_target_of_two_values_is_predicted_as_a_share() -> None:
    """A target of two values stays a number, and a remark says that this is regression."""
    said = remarks(table().assign(price=["0", "1"] * (ROWS // 2)))
    assert (
        "price: target of two values: this is regression, and will predict the share of the higher one: 0 and 1" in said
    )


@pytest.mark.parametrize(("prices", "least"), [(PRICES, 0.0), (["-5", *PRICES[1:]], None)])
def test_the_target_is_bounded_by_zero_alone(prices: list[str], least: float | None) -> None:
    """A target that is nowhere negative has min 0, another has no min; no target has a max."""
    target = infer(table().assign(price=prices), "price").schema.target
    assert (target.min, target.max) == (least, None)


def test_few_different_rows_are_said() -> None:
    """24 combinations of features in 400 rows are counted, and the remedy is an id; with an id there is no warning."""
    plan, area = np.arange(400) % 4, np.arange(400) // 4 % 6
    raw = pd.DataFrame({"plan": plan, "area": area, "y": MIXED.normal(size=400).round(3)}).astype(str)
    said = "only 24 different rows of features in 400 rows"
    assert [each for each in remarks(raw, "y") if said in each and "give it role id" in each]
    assert not [each for each in remarks(raw.assign(number=range(400)), "y") if said in each]


def test_a_column_without_a_name_is_called_by_its_place() -> None:
    """Where a header lacks a name, the message shows the place of the column."""
    with pytest.raises(Exception, match=r"it has size, \(column 2 has no name\), price"):
        infer(table(**{"": ["1", "2"]}), "prise")
