"""Raw rows to typed rows: each is in one split or rejected. What stops the run is in test_bad_tables."""

import pandas as pd
import pytest
from msgspec.structs import replace

from pipeline.contract.column import Column
from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Clean
from pipeline.contract.schema import Schema
from pipeline.tables.splitting import Cuts
from stages.clean import clean
from tests.tables import make_schema

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


def combinations(rows: int) -> tuple[pd.DataFrame, Schema]:
    """24 combinations of a plan and an area in so many rows, with a number and a price."""
    cells = {"n": range(rows), "plan": [k % 4 for k in range(rows)], "area": [k // 4 % 6 for k in range(rows)]}
    columns = (Column("n", "int", role="ignore"), Column("plan", "int"), Column("area", "int"))
    return pd.DataFrame({**cells, "y": range(rows)}).astype(str), make_schema(
        *columns, Column("y", "float", role="target")
    )


def test_few_different_rows_of_features_are_warned_of() -> None:
    """24 combinations of features in 400 rows are counted, also in parts, and the remedy is an id; with an id, or with
    as many rows as combinations, there is no warning."""
    raw, schema = combinations(400)
    said = "only 24 different rows of features in 400 rows"
    whole = clean(raw, schema, PARAMS).summary
    assert whole.warning.startswith(said)
    assert whole.warning.endswith("add a column that numbers the rows, and give it role id")
    parts = [clean(part, schema, PARAMS, Cuts()).summary for part in (raw[:70], raw[70:])]
    assert (parts[0] + parts[1]).warning == whole.warning
    numbered = make_schema(replace(schema.columns[0], role="id"), *schema.columns[1:])
    assert clean(raw, numbered, PARAMS).summary.warning == ""
    assert clean(raw[:24], schema, PARAMS).summary.warning == ""


def test_an_empty_fold_of_few_rows_names_the_id() -> None:
    """Where a fold has no row because few rows of features differ, the message counts them and names the remedy."""
    raw, schema = combinations(400)
    raw["area"] = "1"
    said = "no row falls into .* too small or too uniform; only 4 different rows of features in 400 rows.* role id"
    with pytest.raises(PipelineError, match=said):
        clean(raw, schema, Clean(min_rows=1, test_fraction=0.3, folds=5, max_rejected_fraction=0.5))
