"""Raw rows to typed rows and rejected rows."""

import pandas as pd

from pipeline.cleaning import validation
from pipeline.contract.schema import Schema
from pipeline.tables import cell_parser


def type_rows(raw: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the usable rows of a raw table or a part of it, typed, and the rejected rows with their raw cells.

    `row` is a row's number, from the index of `raw`; `column`, `reason` and `value` are of its first problem.
    Raises PipelineError where a column of the schema is absent.
    """
    validation.check_columns(raw, schema)
    table, problems = cell_parser.parse(raw, schema.used)
    usable = table.drop(index=problems["row"]) if len(problems) else table
    rejected = problems.merge(
        raw.loc[problems["row"]].astype("str"), left_on="row", right_index=True, suffixes=("", "_raw")
    )
    return usable.rename_axis("row").reset_index(), rejected
