"""Different rows of features: where the features decide the split, few of them make a poor test split."""

import numpy as np
import pandas as pd

from pipeline.contract.schema import Schema
from pipeline.contract.wording import counted
from pipeline.tables import row_hash

# Of fewer different rows, a test split of a fifth of them holds less than 20.
MANY = 100


def decide_split(schema: Schema) -> bool:
    """Return True where the features decide the split, so that equal rows stay together."""
    return not any(schema.with_role(role) for role in ("time", "group", "id", "split"))


def distinct(table: pd.DataFrame, schema: Schema) -> frozenset[int]:
    """Return the hashes of the different rows of features, at most MANY; none where they do not decide the split."""
    if not decide_split(schema):
        return frozenset()
    return frozenset(np.unique(row_hash.hash_rows(table, schema.features))[:MANY].tolist())


def merged(*parts: frozenset[int]) -> frozenset[int]:
    """Return what `distinct` returns of a table from what it returns of its parts."""
    return frozenset(sorted(frozenset[int]().union(*parts))[:MANY])


def independent_share(table: pd.DataFrame, schema: Schema) -> float:
    """Return the share of the rows [n] that are independent: with counts c of the different rows, n / sum of c squared.

    Where the features decide the split, equal rows are drawn together, and as much is known as from n squared / sum of
    c squared rows drawn one by one (Kish 1965). It is 1 where another column decides the split, or no row repeats.
    """
    present = tuple(column for column in schema.features if column.name in table)
    if not decide_split(schema) or not present or table.empty:
        return 1.0
    _, counts = np.unique(row_hash.hash_rows(table, present), return_counts=True)
    return float(len(table) / np.square(counts).sum())


def warning(count: int, rows: int) -> str:
    """Return a warning where a table of so many `rows` has few different ones, by their `count`, else an empty text."""
    if not 0 < count < min(MANY, rows / 2):
        return ""
    return (
        f"only {counted(count, 'different row')} of features in {counted(rows, 'row')}: equal rows stay together, so "
        "the test split and each fold hold few of them; add a column that numbers the rows, and give it role id"
    )
