"""The prediction log through the application: its content, retention and erasure."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from api.app import create_app
from api.model import loader
from api.model.micro_batcher import Predictor
from api.prediction_log import queries, retention
from api.prediction_log.database import connect
from api.prediction_log.schema import Caller, new_ids, now
from api.settings import Settings
from pipeline.contract.errors import PipelineError
from pipeline.tables.atomic_files import digest
from tests.api.conftest import JSON, ROUNDING, Client, Example, log_url, logged, row, serving, until
from tests.api.http.test_predict import bodies


def test_an_answer_is_in_the_log(fresh: Client, example: Example) -> None:
    """The log has the id, the time, the row as received but for whitespace, and as the model saw it, the answer with
    what was imputed, the model and the own id."""
    sent = json.dumps(row(listing="L:7", heating=None, slope=...), ensure_ascii=False, separators=(",", ":"))
    before = now()
    answer = fresh.post("/predict", content=f" {sent.replace(',', ' , ')} ", headers=JSON).json()
    [entry] = logged(fresh)
    assert before <= entry["time"] <= now()
    assert (entry["id"], entry["own"], entry["sent"]) == (answer["id"], "L:7", sent)
    assert all(entry[key] == answer[key] for key in ("prediction", "lower", "upper"))
    assert (entry["model"], entry["promoted"]) == (digest(example.path, "md5"), 0)
    learned = fresh.get("/metadata").json()["imputed"]
    sold, listed = [2020.0, 5.0, 7.0], [2020.0, 2.0, 6.0, 0.0, 60.0, 18321.0]  # year, month, weekday, hour, ...
    used = [100.5, 3.0, 1.0, 1.0, learned["heating"], *sold, 1999.0, *listed, learned["slope"]]
    assert json.loads(entry["used"]) == used
    assert json.loads(entry["imputed"]) == answer["imputed"] == ["heating", "slope"]


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_what_was_sent_is_logged_without_whitespace(fresh: Client, path: str) -> None:
    """A padded body takes no more space. Each digit of a number and each space of a text stays, as do escapes and the
    fields that the model does not see."""
    first = r'{"listing id":"a  \u00f1 \"x\" ,","note":[1.50,{"a b":-0.0e+10}],"area m²":100.10000000000000000001,'
    compact = first + json.dumps(row(area=...), ensure_ascii=False, separators=(",", ":"))[1:]
    spaced = compact.replace('"note":[', '\r\n"note"\t: [ ').replace('"rooms":3', '"rooms" : 3') + " " * 3000
    response = fresh.post(path, content=spaced if path == "/predict" else f"[{spaced}]", headers=JSON)
    assert response.status_code == 200
    [entry] = logged(fresh)
    assert entry["sent"] == compact


def test_what_is_refused_is_not_logged(fresh: Client) -> None:
    """Only answers are in the log; of a batch all rows or none. An empty batch has none."""
    fresh.post("/predict", json=row(rooms=0))
    fresh.post("/predict/batch", json=[row(), row(rooms=0)])
    assert fresh.post("/predict/batch", json=[]).json() == []
    assert logged(fresh) == []


def test_both_ways_to_predict_answer_alike(fresh: Client) -> None:
    """The answers of the fast path and of the framework's handler differ in the id alone."""
    fast, slow = (
        fresh.post("/predict", content=json.dumps(row()), headers={"content-type": kind, "x-request-id": "same"})
        for kind in ("application/json", "application/json; charset=utf-8")
    )
    assert fast.headers == slow.headers
    assert {**fast.json(), "id": ""} == {**slow.json(), "id": ""}
    assert len(logged(fresh)) == 2


def test_concurrent_rows_equal_one_batch(example: Example, tmp_path: Path) -> None:
    """200 requests at once get the answers of one batch of these rows; they are logged in fewer transactions."""
    rows = bodies(example, example.table.head(200))
    app = create_app(Settings(example.path, prediction_log_url=log_url(tmp_path)))

    commits: list[Any] = []
    event.listen(app.state.log.database, "commit", commits.append)

    async def both() -> tuple[list[Any], list[Any]]:
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
        async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            commits.clear()
            singles = await asyncio.gather(*(client.post("/predict", json=body) for body in rows))
            assert 0 < len(commits) < 100
            commits.clear()
            batch = await client.post("/predict/batch", json=rows)
            assert len(commits) == 1
        return [single.json() for single in singles], batch.json()

    singles, batch = asyncio.run(both())
    ids = {entry.id for entry, *_ in queries.window(app.state.log.database, 0, now() + 1)}
    assert ids == {answer["id"] for answer in singles + batch}
    assert len(ids) == 400
    for single, other in zip(singles, batch, strict=True):
        for name in ("prediction", "lower", "upper"):
            assert single.pop(name) == pytest.approx(other.pop(name), rel=ROUNDING)
        assert {**single, "id": ""} == {**other, "id": ""}


def test_a_group_of_two_models(fresh: Client, example: Example, dearer: Example) -> None:
    """Requests around a swap that are answered together are answered and logged by the model that decoded them."""
    old = fresh.app.state.serving.served
    new = loader.load(dearer.path, Settings())
    order = [old, new, new, old, new]

    async def ask() -> list[Any]:
        predictor: Predictor = fresh.app.state.predictor
        text = json.dumps(row())
        return await asyncio.gather(
            *(predictor.one(by, (by.contract.decode(text.encode()), text, Caller())) for by in order)
        )

    answers = fresh.blocking_portal.call(ask)
    assert [answer.model for answer in answers] == [by.md5 for by in order]
    assert answers[1].prediction == pytest.approx(2 * answers[0].prediction, rel=1e-3)
    assert answers[0].prediction == answers[3].prediction
    entries = {entry["id"]: (entry["model"], entry["prediction"]) for entry in logged(fresh)}
    assert entries == {answer.id: (answer.model, answer.prediction) for answer in answers}


def test_ids_grow_and_are_uuids() -> None:
    """An id is a version 7 UUID: ids of a later millisecond are greater."""
    ids = [new_ids(moment, 1)[0] for moment in (1, 2, 2**47, 2**48 - 1)]
    assert ids == sorted(ids)
    assert all(len(key) == 32 and key[12] == "7" and key[16] in "89ab" for key in ids)
    assert len(set(new_ids(5, 1000))) == 1000


@pytest.mark.parametrize(
    "url", ["", "predictions.db", "sqlite://", "sqlite:///:memory:", "mysql://user:secret@host/x", "postgresql://host"]
)
def test_an_unusable_url_is_refused(url: str) -> None:
    """The error names the setting and does not repeat the URL, which may hold a password."""
    with pytest.raises(PipelineError, match="PREDICTION_LOG_URL") as raised:
        connect(url)
    assert "secret" not in str(raised.value)


def test_retention_by_rows_and_age(fresh: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest predictions over either limit are deleted, in steps, with their feedback; without limits none are."""
    database = fresh.app.state.log.database
    ids = [answer["id"] for answer in fresh.post("/predict/batch", json=[row()] * 10).json()]
    for key in ids:
        fresh.post("/feedback", json={"id": key, "actual": 1})
    assert retention.prune(database, 0, 0) == retention.prune(database, 1, 10) == 0
    monkeypatch.setattr(retention, "STEP", 2)
    assert [retention.prune(database, 0, 7) for _ in range(3)] == [2, 1, 0]
    assert [entry["id"] for entry in logged(fresh)] == ids[3:]
    later = now() + 2 * retention.DAY
    monkeypatch.setattr(retention, "now", lambda: later)
    monkeypatch.setattr(retention, "STEP", 500)
    assert retention.prune(database, 3, 0) == 0
    assert retention.prune(database, 1, 0) == 7
    with database.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM feedback").scalar() == 0


def test_retention_looks_before_it_locks(fresh: Client) -> None:
    """Old predictions are found by an index alone, and with none over a limit another writer is not waited for."""
    database = fresh.app.state.log.database
    fresh.post("/predict", json=row())
    with database.connect() as connection:
        for query in retention.over(1, 1):
            sql = query.compile(database, compile_kwargs={"literal_binds": True})
            plan = " ".join(step[3] for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}"))
            assert "SEARCH predictions USING" in plan
            assert "SCAN predictions" not in plan
            assert "TEMP B-TREE" not in plan
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        assert retention.prune(database, 1, 10) == 0


def test_a_long_read_holds_nothing(fresh: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of a window are read in pages, in their order; between two pages the log can be checkpointed."""
    database = fresh.app.state.log.database
    ids = [answer["id"] for answer in fresh.post("/predict/batch", json=[row()] * 7).json()]
    monkeypatch.setattr(queries, "_PAGE", 3)
    window = queries.window(database, 0, now() + 1)
    found = [next(window)]
    with database.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0] == 0
    assert [each.entry.id for each in [*found, *window]] == ids


def test_the_server_prunes_by_itself(example: Example, tmp_path: Path) -> None:
    """A server with a limit deletes rows over it without a request."""
    with serving(tmp_path, model_path=example.path) as client:
        client.post("/predict/batch", json=[row()] * 700)
    with serving(tmp_path, model_path=example.path, log_max_rows=5) as client:
        until(lambda: len(logged(client)) == 5)


def test_erasure_leaves_no_trace(fresh: Client) -> None:
    """After an erasure by own id, while the server runs, the log's files hold neither id nor the row's values; all
    other rows stay."""
    for number in range(20):
        fresh.post("/predict/batch", json=[row(listing=f"{place}-{number}") for place in range(30)])
    answers = [
        fresh.post("/predict", json=row(listing="Erika Mustermann", slope=1.23456789, rooms=rooms)).json()
        for rooms in (3, 4)
    ]
    fresh.post("/feedback", json={"id": answers[0]["id"], "actual": 7})
    for number in range(20):
        fresh.post("/predict/batch", json=[row(listing=f"{place}-{number}") for place in range(30, 45)])
    database = fresh.app.state.log.database
    folder = Path(database.url.database).parent

    def stored() -> bytes:
        return b"".join(path.read_bytes() for path in folder.iterdir())

    traces = [b"Erika Mustermann", b"1.23456789", *(answer["id"].encode() for answer in answers)]
    assert all(trace in stored() for trace in traces)
    assert queries.erase(database, "Erika Mustermann") == (2, 1)
    assert not any(trace in stored() for trace in traces)
    assert len(logged(fresh)) == 900
    assert queries.erase(database, answers[0]["id"]) == (0, 0)
    assert fresh.post("/predict", json=row()).status_code == 200
