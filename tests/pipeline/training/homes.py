"""A small table of homes with every kind of column and missing cells, and the parameters to train on it."""

from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from pipeline.contract.column import Column
from pipeline.contract.onnx_model import Model
from pipeline.contract.params import Clean, Select, Train
from pipeline.tables.splitting import TEST
from pipeline.training.onnx_export import Served, describe_training, served_form
from pipeline.training.search import FitRecord
from stages.clean import clean
from tests.tables import make_schema

GRIDS: dict[str, dict[str, list[Any]]] = {
    "linear": {},
    "ridge": {"alpha": [0.1, 10.0]},
    "random_forest": {"n_estimators": [5], "min_samples_leaf": [1, 30]},
    "xgboost": {"n_estimators": [20], "max_depth": [3]},
    "gaussian_process": {"log_target": [False, True]},
}
PARAMS = Train(
    seed=1, interval_level=0.8, search_rows=10_000, max_settings=24, max_leaves=100_000, device="cpu", families=GRIDS
)
LIMITS = Select(
    rule="min", onnx_tolerance=1e-4, max_model_mb=5, reference_rows=10, background_rows=5, comparables=False
)
HOMES = make_schema(
    Column("area", "float", nullable=True),
    Column("rooms", "int", nullable=True),
    Column("sold", "datetime", nullable=True),
    Column("garden", "bool", nullable=True),
    Column("street", "category", categories=("north", "south", "east"), nullable=True),
    Column("built", "float"),
    Column("price", "float", role="target"),
)


@lru_cache
def _table(n: int, missing: float) -> pd.DataFrame:
    generator = np.random.default_rng(5)
    raw = pd.DataFrame(
        {
            "area": generator.lognormal(4, 1, n),
            "rooms": generator.integers(1, 8, n).astype(float),
            "garden": generator.integers(0, 2, n).astype(float),
            "street": generator.choice(["north", "south", "east"], n, p=[0.5, 0.3, 0.2]),
            "built": 2000 + generator.normal(0, 3, n).round(2),
        }
    )
    hours = np.random.default_rng(6).integers(0, 40_000, n)
    raw["sold"] = (pd.Timestamp("2020-01-01") + pd.to_timedelta(hours, "h")).strftime("%Y-%m-%dT%H:%M")
    effect = raw["street"].map({"north": 0, "south": 40, "east": -20}) + hours % 24 + hours / 400
    raw["price"] = 2 * raw["area"] + 10 * raw["rooms"] + 30 * raw["garden"] + effect + generator.normal(0, 30, n)
    for name in ("area", "rooms", "garden", "street", "sold"):
        gone = generator.random(n) < missing
        raw.loc[gone, name] = None
        raw.loc[gone, "price"] += 60
    return clean(raw, HOMES, Clean(min_rows=1, test_fraction=0.2, folds=4, max_rejected_fraction=0)).table


def homes(n: int = 300, missing: float = 0.05) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A clean table of n homes, and its training rows: with heavy tails, an offset far from 0, and more missing cells
    where prices are high."""
    table = _table(n, missing).copy()
    return table, table[table["fold"] != TEST]


def with_grid(family: str, grid: dict[str, list[Any]], **changes: Any) -> Train:
    return msgspec.structs.replace(PARAMS, families={family: grid}, **changes)


def serve(pipeline: Any, record: FitRecord, training: pd.DataFrame, limits: Select = LIMITS) -> tuple[Served, Model]:
    """The served form of a fit to the training rows, and the model that a reader loads from it."""
    described = describe_training(training["price"].to_numpy(float), "sha", record.cv_rmse)
    served = served_form(pipeline, record, training, HOMES, described, PARAMS.interval_level, limits)
    return served, Model(served.content, "a test's model")
