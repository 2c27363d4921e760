"""The reference sample, prepared for comparison: its sketch, and its rows as numbers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.contract.schema import Schema
from pipeline.drift import sketch
from pipeline.drift.encoding import to_numbers
from pipeline.drift.sketch import Anchor, Sketch


@dataclass(frozen=True)
class Reference:
    """The reference sample: its sketch, and all its rows as numbers (features, and `prediction` and `residual` where
    known). `ordered`: its features, most important first. `ignored`: features that the model does not take."""

    anchors: tuple[Anchor, ...]
    sketch: Sketch
    table: pd.DataFrame
    ordered: tuple[str, ...]
    ignored: frozenset[str] = frozenset()


def prepare(table: pd.DataFrame, names: list[str], schema: Schema, importance: dict[str, float] | None) -> Reference:
    """Prepare the features `names` of the reference; `importance` names those that the model takes."""
    columns = [column for column in schema.features if column.name in names]
    anchors = tuple(sketch.anchor(table[column.name], column) for column in columns)
    own = sketch.take(table, np.arange(len(table)), anchors, schema)
    numbers = {column.name: to_numbers(table[column.name], column)[0] for column in columns}
    for name in ("prediction", "residual"):
        if name in table:
            numbers[name] = table[name].to_numpy(float, na_value=np.nan)
    ordered = tuple(
        sorted(numbers.keys() & set(names), key=lambda name: (-(importance or {}).get(name, 0.0), names.index(name)))
    )
    ignored = frozenset(names).difference(names if importance is None else importance)
    return Reference(anchors, own, pd.DataFrame(numbers), ordered, ignored)


def expanded(reference: Reference, table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Numbers [rows, at most `most`] of the features in their order, an indicator for each value of a category."""
    anchors = {anchor.column.name: anchor.column for anchor in reference.anchors}
    columns: dict[str, np.ndarray] = {}
    for name in reference.ordered:
        values, column = table[name].to_numpy(float), anchors[name]
        if column.dtype == "category":
            known = {f"{name} = {value}": values == code for code, value in enumerate(column.categories)}
            columns |= {key: np.where(np.isnan(values), np.nan, is_it) for key, is_it in known.items()}
        else:
            columns[name] = values
    return pd.DataFrame(columns, index=table.index).iloc[:, :most]
