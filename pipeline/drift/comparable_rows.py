"""Live rows that the reference can have a counterpart of, where the features decide the split and few rows differ.

Equal rows stay together in the split, so the reference lacks every row of features that fell into the test split. Where
rows differ, others much like them are there; where a few combinations repeat, whole combinations are missing. Live rows
of these are left out: on both sides the rest are draws from the same combinations.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.contract.schema import Schema
from pipeline.drift.live_rows import Live
from pipeline.tables import cell_values, distinct_rows, splitting

# Below this share of independent rows most rows repeat.
FEW = 0.5
NOTE = (
    "; live rows whose combination of features fell into the test split are left out, for few combinations differ: a "
    "column with role id splits row by row"
)


def comparable(live: Live, reference: pd.DataFrame, schema: Schema) -> Live | None:
    """Return the live rows whose features may be in a reference table; None where all of them may."""
    names = [column.name for column in schema.features]
    complete = set(names) <= set(live.columns) & set(reference)
    if not complete or distinct_rows.independent_share(reference, schema) >= FEW:
        return None
    lowest = splitting.place(reference, schema).min()

    def kept(batch: pd.DataFrame) -> pd.DataFrame:
        found = {column.name: cell_values.convert(batch[column.name], column) for column in schema.features}
        typed = pd.DataFrame({name: values for name, (values, _) in found.items()}, index=batch.index)
        unusable = np.any([mask for _, mask in found.values()], axis=0)
        return batch[unusable | (splitting.place(typed, schema) >= lowest)]

    return replace(live, batches=lambda: map(kept, live.batches()))
