"""A small table of houses, and a model of it, for the tests of evaluate."""

import numpy as np
import pandas as pd

from pipeline.contract.column import Column
from pipeline.contract.description import Description, Interval, Training
from pipeline.contract.params import Evaluate
from tests.tables import make_schema

LIMITS = Evaluate(seed=1, bootstrap_samples=200, level=0.95, importance_repeats=3)
HOUSES = make_schema(
    Column("area", "float", nullable=True),
    Column("garden", "bool", nullable=True),
    Column("street", "category", categories=("north", "south", "missing"), nullable=True),
    Column("price", "float", unit="euro", role="target"),
)


def houses(price: list[float], garden: list[bool | None], street: list[str | None]) -> pd.DataFrame:
    n = len(price)
    columns = {"row": range(n), "area": np.arange(n, dtype=float), "garden": pd.array(garden, dtype="boolean")}
    return pd.DataFrame({**columns, "street": pd.array(street, dtype="string"), "price": price})


def around(predicted: np.ndarray, half: float = 1.0) -> np.ndarray:
    return np.column_stack([predicted, predicted - half, predicted + half])


class Constant:
    """Stands in for a served model: its prediction is `area`, or 0 where that is missing."""

    def __init__(self) -> None:
        self.description = Description(
            format=1,
            family="constant",
            settings={},
            schema=HOUSES,
            features=("area", "garden", "street"),
            imputed={"area": 0.0, "garden": 1.0, "street": 1.0},
            interval=Interval(0.9, "a guess"),
            training=Training(rows=10, sha256="0" * 64, target_median=2.0, target_std=1.0, cv_rmse=1.5),
        )

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        return around(np.nan_to_num(matrix[:, 0]))
