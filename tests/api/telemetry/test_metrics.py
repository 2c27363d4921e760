"""The metrics at /metrics: what is counted, under which labels."""

import json
import math
import re
import shutil
import sqlite3
import threading
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from api.telemetry.metrics import NO_COLUMN, Distribution, buckets
from pipeline.contract.description import Training
from pipeline.contract.onnx_model import Model
from pipeline.tables.atomic_files import digest
from tests.api.conftest import Client, Example, row, serving, until
from tests.api.model.test_reloader import CHAMPION, put
from tests.api.test_server import Server
from tests.conftest import ROOT


def counts(client: Client) -> dict[str, float]:
    """The samples by name and labels."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert response.headers["content-type"].count("charset") == 1
    return samples(response.text)


def samples(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_requests_are_counted_by_route_and_status(fresh: Client) -> None:
    """Each request counts once with its status and time, also one that no route takes."""
    fresh.post("/predict", json=row())
    fresh.post("/predict", json=row())
    fresh.post("/predict", json=row(rooms=99))
    fresh.get("/health")
    fresh.get("/predict")
    found = counts(fresh)
    assert found['http_requests_total{key="",method="POST",path="/predict",status="200"}'] == 2
    assert found['http_requests_total{key="",method="POST",path="/predict",status="422"}'] == 1
    assert found['http_requests_total{key="",method="GET",path="/health",status="200"}'] == 1
    assert found['http_requests_total{key="",method="GET",path="other",status="405"}'] == 1
    assert found['http_request_duration_seconds_count{method="POST",path="/predict"}'] == 3
    assert found['http_request_duration_seconds_bucket{le="+Inf",method="POST",path="/predict"}'] == 3


def test_callers_cannot_make_series(fresh: Client) -> None:
    """Neither unknown paths, methods nor fields become labels."""
    counts(fresh)  # a series of its own
    series = []
    for start in (0, 25):
        for number in range(start, start + 25):
            fresh.get(f"/nope/{number}")
            fresh.get(f"/static/{number}")
            fresh.request(f"M{number}", "/nope")
            fresh.post("/predict", json=row(**{f"field{number}": 1}))
        found = counts(fresh)
        series.append(set(found))
    assert series[0] == series[1]
    assert found['http_requests_total{key="",method="GET",path="other",status="404"}'] == 50
    assert found['http_requests_total{key="",method="other",path="other",status="404"}'] == 50
    assert found[f'api_rejected_total{{field="{NO_COLUMN}",problem="unknown"}}'] == 50


def test_rejected_fields_are_counted(fresh: Client) -> None:
    """Each mistake counts under its feature and kind."""
    fresh.post("/predict", json=row(rooms=99, slope="x"))
    fresh.post("/predict/batch", json=[row(), row(rooms=99), row(rooms=99)])
    fresh.post("/feedback", json={"rooms": 99})
    found = counts(fresh)
    assert found['api_rejected_total{field="rooms",problem="bounds"}'] == 3
    assert len([name for name in found if name.startswith("api_rejected_total")]) == 2
    assert found['api_rejected_total{field="slope",problem="type"}'] == 1


@given(st.lists(st.sampled_from([1.0, 2.0, 5.0]) | st.floats(-10, 10), max_size=20))
def test_predictions_counted_together_are_as_counted_one_by_one(amounts: list[float]) -> None:
    """Each prediction is in the first bucket whose edge is not below it."""
    together, alone = (Distribution("x", "x", registry=CollectorRegistry(), buckets=[1, 2, 5]) for _ in range(2))
    together.observe_all(amounts)
    for amount in amounts:
        alone.observe(amount)
    found, expected = ([s for s in metric.collect()[0].samples if s.name != "x_sum"] for metric in (together, alone))
    assert found == expected


def test_predictions_are_counted_in_the_targets_spread(fresh: Client, example: Example) -> None:
    """The prediction histogram has the target's unit, and edges around the training median."""
    answer = fresh.post("/predict", json=row()).json()
    count = f'api_predictions_count{{md5="{answer["model"]}"}}'
    found = counts(fresh)
    assert found[count] == 1
    fresh.post("/predict", content=json.dumps(row()), headers={"Content-Type": "application/json; charset=utf-8"})
    fresh.post("/predict/batch", json=[row()] * 3)
    fresh.post("/predict/batch", json=[row(), row(rooms=99)])
    assert counts(fresh)[count] == 5
    amounts = by_edge(found, answer["model"])
    edges = [edge for edge in amounts if edge < math.inf]
    assert min(edges) < example.table["price"].median() < max(edges)
    assert {edge: amount == 1 for edge, amount in amounts.items()} == {e: answer["prediction"] <= e for e in amounts}


def by_edge(found: dict[str, float], md5: str) -> dict[float, float]:
    """The predictions of a model up to each edge of its buckets."""
    series = {re.fullmatch(rf'api_predictions_bucket{{le="(.+)",md5="{md5}"}}', name): name for name in found}
    return {float(match[1]): found[name] for match, name in series.items() if match}


def test_processes_that_share_metrics_keep_models_apart(example: Example, dearer: Example, tmp_path: Path) -> None:
    """After a swap each model's predictions are in its own buckets; series of a single process are left out."""
    models = [digest(model.path, "md5") for model in (example, dearer)]
    (tmp_path / "shared").mkdir()
    put(tmp_path / CHAMPION, example)
    with Server(tmp_path, PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "shared")) as server:
        first = httpx.post(f"{server.url}/predict", json=row()).json()
        put(tmp_path / CHAMPION, dearer)
        until(lambda: httpx.get(f"{server.url}/ready").json()["model"] == models[1])
        second = httpx.post(f"{server.url}/predict", json=row()).json()
        found = samples(httpx.get(f"{server.url}/metrics").text)
    for answer, model, md5 in zip((first, second), (example, dearer), models, strict=True):
        edges = [*buckets(Model.load(model.path).description.training), math.inf]
        assert by_edge(found, md5) == {edge: answer["prediction"] <= edge for edge in edges}
    assert not [name for name in found if name.startswith(("process_", "python_"))]


def test_buckets_of_a_constant_target() -> None:
    """A target with no spread still has an edge."""
    assert buckets(Training(10, "", 5.0, 0.0, 0.1)) == [5.0]


def test_the_model_is_told(fresh: Client, example: Example) -> None:
    """One series names the served model's md5, family and whether it is promoted."""
    md5 = digest(example.path, "md5")
    assert counts(fresh)[f'api_model{{family="linear",md5="{md5}",promoted="false",revision=""}}'] == 1


def test_the_log_is_told(example: Example, tmp_path: Path) -> None:
    """Predictions that wait for the log, that are in it, and that were answered without it are counted."""
    database = tmp_path / "log/predictions.db"
    with serving(tmp_path, model_path=example.path, log_required=False) as client:

        def told() -> list[float]:
            found = counts(client)
            return [found[f"api_log_{name}"] for name in ("pending", "written_total", "lost_total")]

        client.post("/predict", json=row())
        client.post("/predict/batch", json=[row(), row()])
        assert told() == [0, 3, 0]
        assert counts(client)["prediction_log_transaction_seconds_count"] == 3  # and the first, which tests the log
        assert counts(client)["prediction_log_bytes"] > 0
        other = sqlite3.connect(database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = threading.Thread(target=lambda: client.post("/predict", json=row()))
        waiting.start()
        until(lambda: told() == [1, 3, 0])
        other.execute("COMMIT")
        other.close()
        waiting.join(timeout=20)
        assert told() == [0, 4, 0]
        shutil.rmtree(database.parent)
        database.parent.write_text("in the way")
        client.post("/predict", json=row())
        assert told() == [0, 4, 1]


@pytest.mark.parametrize("content", [None, '{"verdict": "shifted"', '{"verdict": 3}'])
def test_without_a_drift_report_there_is_no_verdict(fresh: Client, content: str | None) -> None:
    """No report, or one that is not readable, is no verdict and no error."""
    if content:
        Path("metrics").mkdir()
        Path("metrics/drift.json").write_text(content)
    assert not [name for name in counts(fresh) if name.startswith("api_drift")]


def test_the_drift_verdict(fresh: Client) -> None:
    """The verdict of the last report is 1 and all others 0, as of now."""
    Path("metrics").mkdir()
    for verdict in ("shifted", "none"):
        Path("metrics/drift.json").write_text(f'{{"verdict": "{verdict}", "drift_detected": false, "n_live": 5}}')
        found = {name: value for name, value in counts(fresh).items() if name.startswith("api_drift")}
        assert found.pop(f'api_drift{{verdict="{verdict}"}}') == 1
        assert set(found.values()) == {0}


def test_every_metric_is_documented(fresh: Client) -> None:
    """docs/serving.md names each metric that /metrics has."""
    page = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    families = re.findall(r"^# TYPE (\w+) ", fresh.get("/metrics").text, re.MULTILINE)
    kinds = {re.sub("^(process|python)_.*", r"\1_*", name) for name in families}
    assert {"process_*", "python_*", "http_requests_total"} < kinds
    assert {name for name in kinds if f"`{name}`" not in page} == set()
