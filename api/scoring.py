"""Rows of a table, typed or as text, to answers: refused as the server refuses them, but one by one."""

from collections import Counter
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd

from api.values import expected, limits
from stages import cells
from stages.matrix import to_matrix
from stages.onnx_file import OUTPUTS, Model
from stages.schema import Column

_LONGEST = 100  # characters of a value that an error repeats


class Scored(NamedTuple):
    """`table`: `prediction`, `lower`, `upper` (float64, NaN where there is none), `error` (text, None where there is a
    prediction), with the index of the rows. `refused`: how many rows, by column and reason."""

    table: pd.DataFrame
    refused: Counter[str]


def score(rows: pd.DataFrame, scorer: Model) -> Scored:
    """The model's answers to these rows; a feature without a column is missing in all of them."""
    columns = scorer.description.columns
    typed, problems = cells.parse(rows.reindex(columns=[c.name for c in columns]), tuple(map(_within, columns)))
    wanted = {column.name: expected(column) for column in columns}
    error = pd.Series(None, index=rows.index, dtype=object)
    error[problems["row"]] = [
        f"{line.column}: {line.reason.replace('_', ' ')}{_shown(line)}; expected {wanted[line.column]}"
        for line in problems.itertuples()
    ]
    refused = Counter((problems["column"] + " " + problems["reason"].str.replace("_", " ")).tolist())
    right = error.isna().to_numpy()
    answers = np.full((len(rows), len(OUTPUTS)), np.nan)
    answers[right] = scorer.predict(to_matrix(typed[right], columns))
    infinite = right & ~np.isfinite(answers).all(axis=1)
    answers[infinite] = np.nan
    error[infinite] = "the model has no finite answer to these values"
    refused += Counter({"no finite answer": int(infinite.sum())})
    return Scored(pd.DataFrame(answers, rows.index, OUTPUTS).assign(error=error), refused)


def _within(column: Column) -> Column:
    """The column with bounds that the model's matrix can hold, as the server checks them."""
    if column.dtype not in ("float", "int"):
        return column
    low, high = limits(column)
    return msgspec.structs.replace(column, min=low, max=high)


def _shown(problem: Any) -> str:
    text = problem.value if len(problem.value) <= _LONGEST else f"{problem.value[:_LONGEST]}..."
    return "" if problem.reason == "missing_value" else f" {text!r}"
