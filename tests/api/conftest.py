"""A small table with every kind of column, a fit on it, and its model file: made by the pipeline's own functions."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import yaml
from litestar import Litestar
from litestar.testing import TestClient
from sklearn.pipeline import Pipeline

from api.app import create_app
from api.requests.decoder import Contract
from api.settings import Settings
from pipeline.contract import params, schema
from pipeline.contract.schema import Schema
from pipeline.tables.splitting import TEST
from pipeline.training.onnx_export import describe_training, served_form
from stages.clean import clean
from stages.train import fit

Client = TestClient[Litestar]
JSON = {"content-type": "application/json"}
# Relative: the order in which numbers are added depends on how many rows are computed together.
ROUNDING = 1e-12

COLUMNS: dict[str, dict[str, Any]] = {
    "listing id": {"dtype": "category", "role": "id"},
    "area m²": {"dtype": "float", "unit": "square metres", "description": "Living area", "min": 10, "max": 500},
    "rooms": {"dtype": "int", "min": 1, "max": 10},
    "garden?": {"dtype": "bool", "nullable": True},
    "distrito": {"dtype": "category", "categories": ["Centro", "Ñuñoa", "San José: este"]},
    "heating": {"dtype": "category", "categories": ["gas", "1"], "nullable": True},
    "sold": {"dtype": "datetime", "format": "%d/%m/%Y", "parts": ["month", "year", "weekday"], "nullable": True},
    "year": {"dtype": "int", "nullable": True, "max": 2100},
    "listed": {"dtype": "datetime", "nullable": True},
    "slope": {"dtype": "float", "unit": "degrees", "nullable": True},
    "note": {"dtype": "category", "role": "ignore"},
    "price": {"dtype": "float", "unit": "euro", "min": 0, "role": "target"},
}


class Example(NamedTuple):
    """`table` has the typed rows of both splits; `path` is a model file that nobody may write to."""

    schema: Schema
    table: pd.DataFrame
    pipeline: Pipeline
    path: Path


def table_of(rows: int) -> pd.DataFrame:
    """A raw table of text cells with some missing ones, and a price that depends on all features."""
    random = np.random.default_rng(3)
    area, rooms, year = random.uniform(10, 500, rows), random.integers(1, 11, rows), random.integers(1900, 2025, rows)
    slope, garden = random.normal(0, 5, rows), random.integers(0, 2, rows)
    distrito, heating = (random.choice(COLUMNS[name]["categories"], rows) for name in ("distrito", "heating"))
    sold, listed = (
        pd.Series(random.choice(pd.date_range("2019-01-01", "2022-12-31 23:00", freq="h"), rows)) for _ in range(2)
    )
    price = 900 * area + 5000 * rooms + 3000 * garden + 10 * year - 100 * slope + 20000 * (distrito == "Ñuñoa")
    price = price + 2000 * sold.dt.month + 100 * listed.dt.hour
    raw = pd.DataFrame(
        {
            "listing id": [f"L{row}" for row in range(rows)],
            "area m²": area,
            "rooms": rooms,
            "garden?": garden,
            "distrito": distrito,
            "heating": heating,
            "sold": sold.dt.strftime("%d/%m/%Y"),
            "year": year,
            "listed": listed.dt.strftime("%Y-%m-%dT%H:%M"),
            "slope": slope,
            "note": "",
            "price": price + random.normal(0, 1000, rows),
        }
    ).astype(str)
    for name in ("garden?", "heating", "sold", "year", "listed", "slope"):
        raw.loc[random.random(rows) < 0.1, name] = ""
    return raw


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    folder = tmp_path_factory.mktemp("example")
    source = {"origin": "generated", "licence": "none"}
    text = yaml.safe_dump({"version": 1, "source": source, "columns": COLUMNS}, sort_keys=False, allow_unicode=True)
    (folder / "schema.yaml").write_text(text, encoding="utf-8")
    loaded = schema.load(folder / "schema.yaml")
    table = clean(table_of(200), loaded, params.Clean(50, 0.2, 3, 0.05)).table
    return fitted(table, loaded, folder / "linear.onnx")


@pytest.fixture(scope="session")
def dearer(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Example:
    """A model of the same table that answers twice as much."""
    table = example.table.assign(price=2 * example.table["price"])
    return fitted(table, example.schema, tmp_path_factory.mktemp("dearer") / "linear.onnx")


def fitted(table: pd.DataFrame, schema: Schema, path: Path) -> Example:
    pipeline, record = fit(table, schema, params.Train(1, 0.9, 1000, 24, 1000, "cpu", {"linear": {}}), "linear")
    training = table[table["fold"] != TEST]
    described = describe_training(training["price"].to_numpy(float), "0" * 64, record.cv_rmse)
    served = served_form(
        pipeline, record, training, schema, described, 0.9, params.Select("min", 1e-4, 50, 100, 5, False)
    )
    path.write_bytes(served.content)
    return Example(schema, table, pipeline, path)


@pytest.fixture(scope="session")
def contract(example: Example) -> Contract:
    return Contract(example.schema)


@pytest.fixture(scope="session")
def client(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of the application that serves the example."""
    limits = {"api_max_body": 4096, "api_max_batch": 20, "api_max_batch_body": 8192}
    with serving(tmp_path_factory.mktemp("log"), model_path=example.path, **limits) as started:
        yield started


@pytest.fixture
def fresh(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client of an application that has counted and logged nothing yet, in an empty project."""
    monkeypatch.chdir(tmp_path)
    with serving(tmp_path, model_path=example.path) as started:
        yield started


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[Client]:
    """A client of an application with these settings, on the loopback, and its log in this folder."""
    defaults = {"prediction_log_url": log_url(folder), "bind_address": "127.0.0.1"}
    with TestClient(create_app(Settings(**{**defaults, **settings}))) as started:
        yield started


def logged(client: Client) -> list[dict[str, Any]]:
    """The predictions in the log, the oldest first."""
    url = client.app.state.log.database.url
    with sqlite3.connect(url.database) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(found) for found in connection.execute("SELECT * FROM predictions ORDER BY seq")]


def log_url(folder: Path) -> str:
    return f"sqlite:///{folder}/log/predictions.db"


def until(condition: Callable[[], bool]) -> None:
    """Wait for it; a busy machine may take long."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "not within a minute"
        time.sleep(0.02)


def row(**changes: Any) -> dict[str, Any]:
    """A valid row; `...` takes a field out. Fields with other characters than letters go by `area` and `garden`."""
    names = {"area": "area m²", "garden": "garden?", "listing": "listing id"}
    valid = {
        "area m²": 100.5,
        "rooms": 3,
        "garden?": True,
        "distrito": "Ñuñoa",
        "heating": "gas",
        "sold": "17/5/2020",
        "year": 1999,
        "listed": "2020-02-29",
        "slope": -1.5,
    }
    changed = valid | {names.get(name, name): value for name, value in changes.items()}
    return {name: value for name, value in changed.items() if value is not ...}
