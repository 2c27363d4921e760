"""Raw rows to typed rows: each row is in one split or rejected, and a table that is unfit stops the run."""

import msgspec
import pandas as pd
import pytest

from pipeline.contract.errors import PipelineError
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


def test_too_many_rejected_rows_stop_the_run(raw: pd.DataFrame, schema: Schema) -> None:
    """More rejected rows than allowed are an error with the worst column and example rows."""
    raw["rooms"] = "many"
    with pytest.raises(PipelineError, match=r"5 of 5 rows are rejected.*column rooms: row 0: rooms = 'many'.*row 2"):
        clean(raw, schema, PARAMS)


def test_a_missing_column_is_named(raw: pd.DataFrame, schema: Schema) -> None:
    """A table without a column of the schema is an error that names it and the columns that are there."""
    with pytest.raises(PipelineError, match=r"no column price; it has area, rooms"):
        clean(raw.drop(columns="price"), schema, PARAMS)


def test_too_few_rows_stop_the_run(raw: pd.DataFrame, schema: Schema) -> None:
    """Fewer rows than clean.min_rows are an error."""
    with pytest.raises(PipelineError, match=r"has 5 rows, expected at least clean.min_rows = 9"):
        clean(raw, schema, msgspec.structs.replace(PARAMS, min_rows=9))
