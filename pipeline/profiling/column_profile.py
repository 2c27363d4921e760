"""The profile of one column of raw cells: its texts, its numbers, and the other cells."""

from typing import NamedTuple

import pandas as pd

from pipeline.contract.cell_text import EXACT
from pipeline.contract.column import Column
from pipeline.tables.cell_values import convert

# Words that are values in many tables (North America, no fence, no veneer), and missing cells in others.
WORDS = ("NA", "N/A", "None")
# Where blank cells are at most this share of those with such a word, the word is a value, and blank is missing.
FEW_BLANKS = 0.1


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

    @property
    def missing(self) -> pd.Series:
        """The rows of each text that is read as missing, the most frequent first."""
        return missing_texts(self.cells.drop(index=self.text.index))

    def with_word(self) -> "Profile":
        """Return the profile with NA, N/A or None as a value, where all missing cells but few blank ones hold it."""
        missing = self.missing
        words = [word for word in missing.index if word]
        if len(words) != 1 or words[0] not in WORDS or missing.get("", 0) > FEW_BLANKS * missing[words[0]]:
            return self
        return profile(self.cells, (words[0],))

    def fits(self, column: Column) -> bool:
        """Return True where each cell is missing or can be read as the column's dtype and role."""
        return not convert(self.cells, column)[1].any()


def profile(cells: pd.Series, values: tuple[str, ...] = ()) -> Profile:
    """Return the profile of a raw column; its cells are read as cleaning reads them. `values`: words that would be read
    as missing, and are values here."""
    text, _ = convert(cells, Column(str(cells.name), "category"))
    numbers, is_stray = convert(cells, Column(str(cells.name), "float"))
    if values:
        word, _ = convert(cells, Column(str(cells.name), "category", categories=values))
        is_stray, text = is_stray | word.notna().to_numpy(), text.astype(object).where(word.isna(), word.astype(object))
    known = text.astype(object).dropna()
    return Profile(cells, known, numbers.dropna(), text[is_stray], known.value_counts())


def missing_texts(cells: pd.Series) -> pd.Series:
    """Return the rows of each text among missing cells, the most frequent first; that of an empty cell is empty."""
    return cells.map(lambda cell: "" if pd.isna(cell) else str(cell).strip()).value_counts()
