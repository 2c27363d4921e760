"""Raw rows to typed rows: each is in one split or rejected. What stops the run is in test_bad_tables."""

import pandas as pd

from pipeline.contract.params import Clean
from pipeline.contract.schema import Schema
from stages.clean import clean

PARAMS = Clean(min_rows=1, test_fraction=0.3, folds=2, max_rejected_fraction=0.5)


def test_rejected_rows_are_kept_with_their_cells(raw: pd.DataFrame, schema: Schema) -> None:
    """Rows in = rows of both splits + rejected rows, and a rejected row keeps its raw cells."""
    raw = pd.concat([raw] * 20, ignore_index=True).assign(area=[str(10 + i) for i in range(100)])
    raw.loc[7, "street"] = "west"
    cleaned = clean(raw, schema, PARAMS)
    assert cleaned.counts["rows_in"] == 100 == len(cleaned.table) + len(cleaned.rejected)
    assert cleaned.counts["rejected_unknown_category"] == cleaned.counts["rejected"] == 1
    assert cleaned.rejected.loc[0, ["row", "column", "street"]].tolist() == [7, "street", "west"]
    assert sorted([*cleaned.table["row"], 7]) == list(range(100))
