"""Text columns: words such as NA that are values, and text with many values."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.contract.column import Column
from pipeline.profiling.text_guess import OTHER
from tests.describable import ROWS, table
from tests.pipeline.profiling.test_inferred_schema import cleaned, column, remarks


@pytest.mark.parametrize("word", ["NA", "N/A", "None"])
@pytest.mark.parametrize(
    ("others", "categories"), [(["Grvl", "Pave"], ("Grvl", "Pave")), (["yes"], ("yes",)), (["Grvl"], ("Grvl",))]
)
def test_the_one_word_of_all_missing_cells_is_a_category(
    word: str, others: list[str], categories: tuple[str, ...], tmp_path: Path
) -> None:
    """NA, N/A or None is a category where all missing cells of a text column hold it, also beside one other value."""
    raw = table(fence=[word, *others])
    found, result = cleaned(raw, "price", tmp_path)
    assert found.features[1] == Column("fence", "category", categories=tuple(sorted([*categories, word])))
    assert result.table["fence"].astype("str").tolist() == raw["fence"].tolist()
    count = (raw["fence"] == word).sum()
    assert (
        f"if it means missing, take it out of categories, and add nullable: true: {count} cells '{word}'"
        in (remarks(raw)["fence"])
    )


@pytest.mark.parametrize(
    ("cells", "categories", "nullable"),
    [
        (["NA"] * 30 + ["gas", "oil"] * 14 + ["", ""], ("NA", "gas", "oil"), True),  # few blanks are missing
        (["NA"] * 30 + ["gas", "oil"] * 10 + [""] * 10, ("gas", "oil"), True),  # many blanks: both are missing
        (["NA", "None", "gas", "oil"], ("gas", "oil"), True),  # two words
        (["null", "gas", "oil"], ("gas", "oil"), True),  # a word that is no value in any table
    ],
)
def test_a_word_beside_other_missing_cells(cells: list[str], categories: tuple[str, ...], nullable: bool) -> None:
    """Few blank cells beside the word stay missing; with many, or with another word, the word is missing too."""
    found = column(cells)
    assert (found.categories, found.nullable) == (categories, nullable)


def test_words_read_as_missing_are_counted() -> None:
    """A remark says how many cells of which word are read as missing."""
    raw = table(x=[*["NA"] * 20, *[""] * 10, *["gas", "oil"] * 15], y=["1.5", "2.5", "NA"])
    assert "missing: 30 of 60; 20 cells 'NA' read as missing" in remarks(raw)["x"]
    assert "missing: 20 of 60; 20 cells 'NA' read as missing" in remarks(raw)["y"]


def towns(n: int, seed: int) -> pd.DataFrame:
    """Homes in 300 towns, a few of which are large, each with prices of its own."""
    generator = np.random.default_rng(seed)
    town = np.minimum(generator.zipf(1.3, n), 300)
    effect = np.random.default_rng(0).normal(0, 3, 301)[town]
    size = generator.uniform(20, 200, n)
    price = 0.05 * size + effect + generator.normal(0, 1, n) + 50
    return pd.DataFrame({"size": size.round(2), "town": [f"t{k}" for k in town], "price": price.round(3)}).astype(str)


def test_the_rare_values_of_many_are_pooled(tmp_path: Path) -> None:
    """Of more than 50 values the 49 most frequent are categories, all others are read as one, no row is rejected, and a
    remark counts them."""
    raw = towns(6000, 1)
    found, result = cleaned(raw, "price", tmp_path)
    town = found.features[1]
    assert (len(town.categories), town.other, town.nullable) == (50, OTHER, False)
    counts = raw["town"].value_counts()
    frequent = counts[[name for name in town.categories if name != OTHER]]
    assert frequent.min() >= counts.drop(frequent.index).max()
    assert result.counts["rejected"] == 0
    assert (result.table["town"] == OTHER).sum() == 6000 - frequent.sum()
    said = f"{len(counts) - 49} values in {6000 - frequent.sum():,} rows pooled as '(other)'"
    assert said in remarks(raw)["town"]


@pytest.mark.parametrize(
    "cells",
    [
        [f"a house with {k} rooms and a garden" for k in range(ROWS)],
        [*["none"] * 20, *(f"remark {k} on this house" for k in range(40))],
        [f"n{k // 2}" for k in range(ROWS)],  # is a category: at most 50 values, two rows each
    ],
)
def test_free_text_is_not_pooled(cells: list[str]) -> None:
    """Text where nearly every cell differs is no category of its few repeated values."""
    assert column(cells).other == ""
