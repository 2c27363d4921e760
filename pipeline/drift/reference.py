"""The reference sample, prepared for comparison: a sketch, rows as numbers, and the importance of features."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.contract.schema import Schema
from pipeline.drift import sketch
from pipeline.drift.encoding import to_numbers
from pipeline.drift.sketch import Anchor, Predict, Sketch

COLUMNS = 30  # of the matrices that compare features together: bounds time


@dataclass(frozen=True)
class Reference:
    """The reference sample: its sketch, and all its rows as numbers (features, and `prediction` and `residual` where
    known). `importance`: of each feature that the model takes, 0 where it does not depend on it; None if unknown."""

    anchors: tuple[Anchor, ...]
    sketch: Sketch
    table: pd.DataFrame
    importance: dict[str, float] | None

    def weight(self, name: str) -> float:
        """Return the importance of a feature, 0 where it is unknown."""
        return (self.importance or {}).get(name, 0.0)

    @property
    def names(self) -> list[str]:
        """The features whose values are compared, most important first, else in the order of the schema."""
        compared = (anchor.column.name for anchor in self.anchors if anchor.is_compared)
        return sorted(compared, key=lambda name: -self.weight(name))

    def matrix(self, rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
        """Return features as numbers [rows, at most COLUMNS], with an indicator for each value of a category."""
        categories = {anchor.column.name: anchor.column.categories for anchor in self.anchors}
        columns: dict[str, np.ndarray] = {}
        for name in names:
            values = rows[name].to_numpy(float)
            for code, value in enumerate(categories[name]):
                columns[f"{name} = {value}"] = np.where(np.isnan(values), np.nan, values == code)
            if not categories[name]:
                columns[name] = values
        return pd.DataFrame(columns, index=rows.index).iloc[:, :COLUMNS]


def prepare(
    table: pd.DataFrame,
    names: list[str],
    schema: Schema,
    importance: dict[str, float] | None,
    predict: Predict | None = None,
) -> Reference:
    """Prepare the features `names` of the reference.

    Its predictions are out-of-fold ones: by a model that has not seen the row, as live rows are predicted. But a live
    row may equal a reference row that repeats, and `predict` gives both the same prediction, while the models of the
    folds differ. So rows that repeat are predicted by `predict`.
    """
    columns = [column for column in schema.features if column.name in names]
    anchors = tuple(sketch.anchor(table[column.name], column) for column in columns)
    numbers = {column.name: to_numbers(table[column.name], column)[0] for column in columns}
    known = [name for name in ("prediction", "residual") if name in table]
    numbers |= {name: table[name].to_numpy(float, na_value=np.nan) for name in known}
    if predict is not None and "prediction" in numbers:
        repeats = table.duplicated(names, keep=False).to_numpy()
        if repeats.any():
            rows = pd.DataFrame({name: numbers[name][repeats] for name in names})
            numbers["prediction"] = numbers["prediction"].copy()
            numbers["prediction"][repeats] = predict(rows)
    own = sketch.take(table, np.arange(len(table)), anchors, schema)
    return Reference(anchors, own, pd.DataFrame(numbers), importance)
