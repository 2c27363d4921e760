"""A stranger's table: replacing data/raw/ and data/schema.yaml is all it takes."""

import json
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import yaml
from litestar.testing import TestClient

from api.app import create_app
from api.settings import Settings
from tests.conftest import ROOT, Project


def replace_table(project: Project, table: pd.DataFrame, schema: dict | None = None) -> None:
    project.path("data/raw/housing.csv").unlink()
    table.to_csv(project.path("data/raw/table.csv"), index=False)
    if schema is not None:
        text = yaml.safe_dump(schema, allow_unicode=True, sort_keys=False)
        project.path("data/schema.yaml").write_text(text, encoding="utf-8")


def metrics(project: Project, name: str = "evaluate") -> dict:
    return json.loads(project.path(f"metrics/{name}.json").read_text())


def homes(n: int = 600, seed: int = 3) -> pd.DataFrame:
    """Sales with everything that tables have: odd names, an id, a time, groups, text, booleans, gaps, losses."""
    generator = np.random.default_rng(seed)
    day = np.sort(generator.integers(0, 3000, n))
    street = generator.choice(["Allee", "Gasse", "Weg", "NA-Straße", "yes"], n, p=[0.5, 0.3, 0.15, 0.04, 0.01])
    street[-20:] = "neu"  # known to the schema, and in the test split only
    table = pd.DataFrame(
        {
            "haus nr.": [f"h-{i:04d}" for i in range(n)],
            "verkauft am": (pd.Timestamp("2015-01-01") + pd.to_timedelta(day, "D")).strftime("%Y-%m-%d"),
            "block": [f"b{i // 8}" for i in range(n)],
            "größe m²": generator.uniform(20, 200, n).round(1),
            "rooms, total": generator.integers(1, 9, n).astype(object),
            'with "garden"': generator.choice(["yes", "no"], n),
            "straße": street,
            "remarks": "long, text",
        }
    )
    effect = table["straße"].map({"Allee": 0, "Gasse": 40, "Weg": -30}).fillna(10)
    table["profit"] = (1.5 * table["größe m²"] + effect - 120 + generator.normal(0, 8, n)).round(2)
    for name in ("größe m²", "rooms, total", 'with "garden"', "straße"):
        table.loc[generator.random(n) < 0.06, name] = None
    return table


HOMES = {
    "version": 1,
    "source": {"origin": "made up", "licence": "none", "notes": ["Ümläute and 'quotes'"]},
    "columns": {
        "haus nr.": {"dtype": "category", "role": "id"},
        "verkauft am": {"dtype": "category", "role": "time"},
        "block": {"dtype": "category", "role": "group"},
        "größe m²": {"dtype": "float", "min": 0, "max": 500, "nullable": True, "unit": "m²"},
        "rooms, total": {"dtype": "int", "min": 0, "max": 30, "nullable": True},
        'with "garden"': {"dtype": "bool", "nullable": True},
        "straße": {
            "dtype": "category",
            "categories": ["Allee", "Gasse", "Weg", "NA-Straße", "yes", "neu", "nowhere"],
            "nullable": True,
        },
        "remarks": {"dtype": "category", "role": "ignore"},
        "profit": {"dtype": "float", "role": "target", "unit": "k€"},
    },
}


def test_a_table_with_everything(project: Project) -> None:
    """Text categories (rare, unseen in training, unseen at all), booleans, an id, a time, groups, gaps everywhere, a
    negative target and names with spaces, commas, quotes and non-ASCII letters run from raw table to HTTP answer."""
    table = homes()
    replace_table(project, table, HOMES)
    project.dvc("repro")
    found = metrics(project)
    assert found["rmse"] < 0.5 * found["baseline_rmse"]
    assert [found[name] for name in ("mape", "cod", "prd", "prb")] == [None] * 4
    assert "Not defined: mape, cod, prd, prb" in project.path("models/model_card.md").read_text(encoding="utf-8")
    train, test = (pd.read_parquet(project.path(f"data/clean/{part}.parquet")) for part in ("train", "test"))
    assert train["verkauft am"].max() < test["verkauft am"].min()
    assert not set(train["block"]) & set(test["block"])
    assert "neu" in set(test["straße"]) - set(train["straße"])

    pipeline = joblib.load(project.path(f"models/candidates/{found['family']}.joblib"))
    rows = test.tail(40)
    expected = pipeline.predict(rows)
    log_url = f"sqlite:///{project.path('log.db')}"
    with TestClient(create_app(Settings(project.path("models/model.onnx"), prediction_log_url=log_url))) as client:
        for place, (_, row) in enumerate(rows.iterrows()):
            body = {name: None if pd.isna(row[name]) else row[name] for name in list(HOMES["columns"])[3:7]}
            body["verkauft am"] = row["verkauft am"].isoformat()
            answer = client.post(
                "/predict",
                content=json.dumps({k: jsonable(v) for k, v in body.items()}),
                headers={"Content-Type": "application/json"},
            )
            assert answer.status_code == 200, answer.text
            assert answer.json()["prediction"] == pytest.approx(expected[place], abs=1e-4 * train["profit"].std())
        assert "größe m²" in client.get("/").text
        assert "NA-Straße" in json.dumps(client.get("/openapi.json").json(), ensure_ascii=False)

    table.tail(200).to_csv(project.path("data/live/live.csv"), index=False)
    project.dvc("repro")
    # The latest sales have a street that the training rows never had.
    assert "straße" in metrics(project, "drift")["moved"]


def jsonable(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def test_the_table_with_missing_cells(project: Project) -> None:
    """Boston Housing with 120 cells of its nullable features replaced by NA runs with the shipped schema, rejects
    nothing, and keeps the cells missing."""
    table = pd.read_csv(ROOT / "data/raw/housing.csv", dtype=str)
    generator = np.random.default_rng(0)
    for name in ("CRIM", "ZN", "INDUS", "CHAS", "AGE", "LSTAT"):
        table.loc[generator.choice(len(table), 20, replace=False), name] = "NA"
    replace_table(project, table)
    project.dvc("repro")
    assert metrics(project, "clean")["rejected"] == 0
    parts = [pd.read_parquet(project.path(f"data/clean/{part}.parquet")) for part in ("train", "test")]
    assert sum(int(part.isna().sum().sum()) for part in parts) == 120
    assert metrics(project)["rmse"] < 0.6 * metrics(project)["baseline_rmse"]


def large(folder: Path, n: int) -> None:
    generator = np.random.default_rng(0)
    table = pd.DataFrame(generator.normal(size=(n, 8)).round(4), columns=[f"x{i}" for i in range(8)])
    table["y"] = (table["x0"] * 3 + np.sin(table["x1"] * 2) * table["x2"] + generator.normal(size=n)).round(4)
    table.to_csv(folder, index=False)


@pytest.mark.slow
def test_fifty_thousand_rows(project: Project) -> None:
    """50,000 rows x 9 columns run from raw table to verdict on small grids."""
    replace_table(project, pd.DataFrame())
    large(project.path("data/raw/table.csv"), 50_000)
    columns = {f"x{i}": {"dtype": "float"} for i in range(8)} | {"y": {"dtype": "float", "role": "target"}}
    schema = {"version": 1, "source": {"origin": "made up", "licence": "none"}, "columns": columns}
    project.path("data/schema.yaml").write_text(yaml.safe_dump(schema))
    project.dvc("repro")
    assert metrics(project, "clean")["rows_in"] == 50_000
    assert metrics(project)["rmse"] < 1.3


BAD = {"text.csv": b"a;b\n1;2\n", "page.csv": b"<html></html>"}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_table_stops_dvc_and_changes_nothing(reproduced: Project, name: str) -> None:
    """With a bad table `dvc repro` fails with the one message and no traceback, and the outputs of the last good run
    stay where they are."""
    watched = ["data/clean/train.parquet", "data/clean/test.parquet", "metrics/clean.json", "models/model.onnx"]
    watched += ["DATA_PROVENANCE.md", "data/provenance.json", "metrics/evaluate.json", "dvc.lock"]
    before = {path: reproduced.path(path).read_bytes() for path in watched}
    reproduced.path("data/raw/housing.csv").write_bytes(BAD[name])
    done = reproduced.run(sys.executable, "-m", "dvc", "repro", code=255)
    assert "error: data/raw/housing.csv" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path: reproduced.path(path).read_bytes() for path in watched} == before
    assert reproduced.stage("clean", code=1).stderr.count("\n") == 1
