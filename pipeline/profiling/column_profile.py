"""What is in the raw cells of one column, read once: texts, numbers, and what is neither."""

from typing import NamedTuple

import pandas as pd

from pipeline.contract.schema import Column
from pipeline.tables.cell_parser import parse
from pipeline.tables.cell_values import EXACT


class Seen(NamedTuple):
    """`text`: the cells that are not missing; `counts`: rows of each text, most frequent first; `numbers`: those that
    are numbers; `strays`: the text of those that are not. All but `counts` with the table's row numbers."""

    cells: pd.Series
    text: pd.Series
    counts: pd.Series
    numbers: pd.Series
    strays: pd.Series

    @property
    def blank(self) -> bool:
        """Whether a cell is missing."""
        return len(self.text) < len(self.cells)

    @property
    def unique(self) -> bool:
        return 1 < len(self.text) == len(self.counts)

    @property
    def whole(self) -> bool:
        """Whether dtype int reads every cell."""
        return bool(self.strays.empty and (self.numbers % 1 == 0).all() and (self.numbers.abs() <= EXACT).all())

    @property
    def digits(self) -> bool:
        return bool(self.text.str.isdigit().all())

    def fits(self, column: Column) -> bool:
        """Whether every cell is either missing or what the column says."""
        return bool(parse(self.cells.to_frame(column.name), (column,))[1].empty)


def read(name: str, cells: pd.Series) -> Seen:
    """The cells as `pipeline.tables.cell_parser` reads them."""
    texts = parse(cells.to_frame(name), (Column(name, "category", nullable=True),))[0][name]
    typed, problems = parse(cells.to_frame(name), (Column(name, "float", nullable=True),))
    text = texts.astype(object).dropna()
    strays = problems.set_index("row")["value"].astype("str").str.strip()
    return Seen(cells, text, text.value_counts(), typed[name].dropna(), strays)
