"""The budgets of a search that params.yaml does not name: numbers of rows and trees, never seconds, so that a
search chooses the same on every machine.

They bind on large or wide tables alone. `cells` are rows times columns of the matrix. What they save and cost:
docs/decisions/0022-budgets.md.
"""

from typing import NamedTuple

import numpy as np

from pipeline.training.cross_validation import Rows

# Held rows on which settings are compared, at most, with few trees and with all. Two settings' errors on the same rows
# go up and down together: over 1,000 the standard error of the difference of their RMSE is about 1 %.
LOOK_ROWS, COMPARED_ROWS = 1_000, 2_000
# Cells from which all trees of a forest together learn in each fold. Out of fold a forest of a large table has fewer
# trees than its model, and an RMSE that is about 1 % higher.
FOREST_CELLS = 10_000_000


class Folds(NamedTuple):
    """Training rows with the splits that settings are compared on, and with the others, in which only the best one is
    fitted; of a small table there are none of these."""

    compared: Rows
    others: Rows


def divide(rows: Rows, most: int) -> Folds:
    """Divide the splits: the last ones, which with a time column have the most rows to learn from, are compared on as
    long as together they hold at most `most` rows, and one always is."""
    held = np.cumsum([len(positions) for _, positions in reversed(rows.splits)])
    count = max(1, int((held <= most).sum()))
    return Folds(rows._replace(splits=rows.splits[-count:]), rows._replace(splits=rows.splits[:-count]))


def trees(shape: tuple[int, ...], drawn: int) -> int:
    """Return the most trees of a forest in a fold, for a matrix of that shape; each draws at most `drawn` rows."""
    rows, columns = shape
    return max(1, FOREST_CELLS // (min(rows, drawn) * columns))
