"""The metrics at /metrics: what is counted, under which labels."""

import json
import re
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from api.telemetry.metrics import NO_COLUMN, Distribution, buckets
from pipeline.contract.description import Training
from pipeline.tables.atomic_files import digest
from tests.api.conftest import Client, Example, row, serving, until
from tests.conftest import ROOT


def counts(client: Client) -> dict[str, float]:
    """The samples by name and labels."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert response.headers["content-type"].count("charset") == 1
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_requests_are_counted_by_route_and_status(fresh: Client) -> None:
    """Each request counts once with its status and time, also one that no route takes."""
    fresh.post("/predict", json=row())
    fresh.post("/predict", json=row())
    fresh.post("/predict", json=row(rooms=99))
    fresh.get("/health")
    fresh.get("/predict")
    found = counts(fresh)
    assert found['api_requests_total{path="/predict",status="200"}'] == 2
    assert found['api_requests_total{path="/predict",status="422"}'] == 1
    assert found['api_requests_total{path="/health",status="200"}'] == 1
    assert found['api_requests_total{path="other",status="405"}'] == 1
    assert found['api_request_seconds_count{path="/predict"}'] == 3
    assert found['api_request_seconds_bucket{le="+Inf",path="/predict"}'] == 3


def test_callers_cannot_make_series(fresh: Client) -> None:
    """Neither unknown paths nor unknown fields become labels."""
    before = len(counts(fresh))
    for number in range(50):
        fresh.get(f"/nope/{number}")
        fresh.get(f"/static/{number}")
        fresh.post("/predict", json=row(**{f"field{number}": 1}))
    found = counts(fresh)
    assert found['api_requests_total{path="other",status="404"}'] == 50
    assert found[f'api_rejected_total{{field="{NO_COLUMN}",problem="unknown"}}'] == 50
    assert len(found) - before < 80  # the buckets of three new routes


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
    answer = fresh.post("/predict", json=row()).json()["prediction"]
    found = counts(fresh)
    assert found["api_predictions_count"] == 1
    fresh.post("/predict", content=json.dumps(row()), headers={"Content-Type": "application/json; charset=utf-8"})
    fresh.post("/predict/batch", json=[row()] * 3)
    fresh.post("/predict/batch", json=[row(), row(rooms=99)])
    assert counts(fresh)["api_predictions_count"] == 5
    edges = [float(edge) for edge in re.findall(r'api_predictions_bucket\{le="([\d.e+-]+)"', "\n".join(found))]
    assert min(edges) < example.table["price"].median() < max(edges)
    for edge in edges:
        assert found[f'api_predictions_bucket{{le="{edge}"}}'] == (answer <= edge)


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
        assert counts(client)["prediction_log_transaction_seconds_sum"] > 0
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
    families = re.findall(r"^# TYPE ((?:api|prediction_log)_\w+) ", fresh.get("/metrics").text, re.MULTILINE)
    assert len(families) > 5
    assert [name for name in families if f"`{name}`" not in page] == []
