"""Raw rows to typed rows, with the reason why a row cannot be used; for any part of a table."""

import numpy as np
import pandas as pd

from pipeline.contract.column import Column
from pipeline.tables.cell_values import convert

# The reasons to reject a row; of several, the first here is listed.
REASONS = ("missing_target", "unparseable", "missing_value", "unknown_category", "out_of_bounds")
_USABLE = len(REASONS)


def parse(raw: pd.DataFrame, columns: tuple[Column, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return these columns, typed as by `convert`, and the problems: one line for each row that cannot be used.

    Columns of the problems: `row` (the index of `raw`, ascending), `column`, `reason` (one of REASONS) and `value` (the
    cell's text). A row with several problems is listed with the first by reason, and then by column.
    """
    typed, found = {}, np.empty((len(columns), len(raw)), np.int8)
    for place, column in enumerate(columns):
        typed[column.name], found[place] = _column(raw[column.name], column)
    rows = np.flatnonzero(found.min(axis=0) < _USABLE)
    places = found[:, rows].argmin(axis=0)
    values = np.empty(len(rows), dtype=object)
    for place in np.unique(places):
        here = places == place
        values[here] = raw[columns[place].name].iloc[rows[here]].map(str)
    problems = pd.DataFrame(
        {
            "row": raw.index[rows].astype("int64"),
            "column": pd.Series([columns[place].name for place in places], dtype="str"),
            "reason": pd.Series([REASONS[reason] for reason in found[places, rows]], dtype="str"),
            "value": pd.Series(values, dtype="str"),
        }
    )
    return pd.DataFrame(typed, index=raw.index), problems


def _column(cells: pd.Series, column: Column) -> tuple[pd.Series, np.ndarray]:
    """Return one column's typed values and, for each row, the place of its reason in REASONS or _USABLE."""
    values, unusable = convert(cells, column)
    reasons = np.full(len(cells), _USABLE, np.int8)
    if column.min is not None or column.max is not None:
        numbers = values.to_numpy(float, na_value=np.nan)
        low, high = (-np.inf if column.min is None else column.min), (np.inf if column.max is None else column.max)
        reasons[(numbers < low) | (numbers > high)] = REASONS.index("out_of_bounds")
    if not column.nullable:
        missing = "missing_target" if column.role == "target" else "missing_value"
        reasons[values.isna().to_numpy() & ~unusable] = REASONS.index(missing)
    reasons[unusable] = REASONS.index("unknown_category" if column.categories else "unparseable")
    return values, reasons
