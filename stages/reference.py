"""The reference sample: the training rows that drift compares live rows with."""

import pandas as pd

from stages.rows import sample
from stages.schema import Schema


def build(table: pd.DataFrame, schema: Schema, size: int) -> pd.DataFrame:
    """At most `size` rows of `table`, those whose `row` numbers have the smallest hashes, in the order of the table.

    Columns: `row`, the features, and `prediction` and `residual` (both in the target's unit) where present.
    """
    names = ["row", *(column.name for column in schema.features)]
    names += [name for name in ("prediction", "residual") if name in table]
    return table.iloc[sample(table["row"], size)][names].reset_index(drop=True)
