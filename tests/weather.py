"""A small table and its settings, for the tests of drift."""

import numpy as np
import pandas as pd

from pipeline.contract.column import Column
from pipeline.contract.params import Drift
from tests.tables import make_schema

WEATHER = make_schema(
    Column("heat", "float", nullable=True, min=-50, max=2000),
    Column("rain", "bool"),
    Column("wind", "category", categories=("n", "e", "s", "w")),
    Column("seen", "datetime"),
    Column("y", "float", role="target"),
)
DRIFT = Drift(
    alpha=0.01,
    min_rows=50,
    min_effect=0.2,
    min_rate_change=0.05,
    min_risk=0.1,
    window_rows=100,
    retrain_on_shift=True,
)


def weather(n: int, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "row": range(n),
            "heat": generator.normal(20, 5, n),
            "rain": generator.random(n) < 0.3,
            "wind": generator.choice(list("nesw"), n),
            "seen": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(generator.integers(0, 10_000, n), "h"),
        }
    )


def timed(n: int, seed: int) -> pd.DataFrame:
    return weather(n, seed).assign(prediction_time=pd.date_range("2026-01-01", periods=n, freq="min", tz="UTC"))


def feedback(n: int, seed: int, spread: float) -> pd.DataFrame:
    errors = np.random.default_rng(seed).normal(0, spread, n)
    return weather(n, seed).assign(prediction=0.0, residual=errors, y=errors)
