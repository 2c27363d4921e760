"""The profile of one column of raw cells: its texts, its numbers, and the other cells."""

from typing import NamedTuple

import pandas as pd

from pipeline.contract.cell_text import EXACT
from pipeline.contract.schema import Column
from pipeline.tables.cell_values import convert


class Profile(NamedTuple):
    """`cells`: all cells, raw. Of those that are not missing, `text`: all as text; `numbers`: the numbers, float64;
    `strays`: the text of the others; each with the table's row numbers as index. `counts`: the rows of each text, the
    most frequent first."""

    cells: pd.Series
    text: pd.Series
    numbers: pd.Series
    strays: pd.Series
    counts: pd.Series

    @property
    def name(self) -> str:
        return str(self.cells.name)

    @property
    def has_missing(self) -> bool:
        return len(self.text) < len(self.cells)

    @property
    def is_unique(self) -> bool:
        """True where no text repeats."""
        return 1 < len(self.text) == len(self.counts)

    @property
    def is_whole(self) -> bool:
        """True where every cell is a whole number that float64 holds exactly, as dtype int requires."""
        return bool(self.strays.empty and (self.numbers % 1 == 0).all() and (self.numbers.abs() <= EXACT).all())

    @property
    def is_digits(self) -> bool:
        """True where every cell is digits alone."""
        return bool(self.text.str.isdigit().all())

    def fits(self, column: Column) -> bool:
        """Return True where each cell is missing or can be read as the column's dtype and role."""
        return not convert(self.cells, column)[1].any()


def profile(cells: pd.Series) -> Profile:
    """Return the profile of a raw column; its cells are read as cleaning reads them."""
    text, _ = convert(cells, Column(str(cells.name), "category"))
    numbers, is_stray = convert(cells, Column(str(cells.name), "float"))
    known = text.astype(object).dropna()
    return Profile(cells, known, numbers.dropna(), text[is_stray], known.value_counts())
