"""Hot reload: another model without a restart."""

import errno
import json
import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml

from api.model import model_files, reloader
from pipeline.tables.atomic_files import digest
from tests.api.conftest import Client, Example, row, serving, until

CHAMPION, WORKSPACE = Path("models/champion.onnx"), Path("models/model.onnx")


def replace(path: Path, content: bytes) -> None:
    """Write beside, then rename, as promote does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def record(path: Path, md5: str, **more: Any) -> None:
    """Write the record that `dvc add` writes, some time later."""
    content = {"outs": [{"md5": md5, "hash": "md5", "path": path.name}], **more}
    replace(path.with_name(f"{path.name}.dvc"), yaml.safe_dump(content).encode())


def put(path: Path, model: Example) -> str:
    md5 = digest(model.path, "md5")
    replace(path, model.path.read_bytes())
    record(path, md5)
    return md5


def served(client: Client) -> Any:
    return client.get("/ready").json().get("model")


def swaps(client: Client, result: str) -> float:
    return metric(client, f'api_model_swaps_total{{result="{result}"}}')


def metric(client: Client, series: str) -> float:
    return next(
        float(line.rsplit(" ", 1)[1])
        for line in client.get("/metrics").text.splitlines()
        if line.startswith(f"{series} ")
    )


@contextmanager
def sick(kind: type[Exception], *arguments: Any) -> Iterator[None]:
    """Every look at a file in `models/` raises this."""
    stat = os.stat

    def fail(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        if not isinstance(path, int) and "models" in Path(path).parts:
            raise kind(*arguments)
        return stat(path, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "stat", fail)
        yield


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reloader, "POLL", 0.05)
    monkeypatch.setattr(reloader, "GRACE", 1.0)


@pytest.fixture
def client(example: Example) -> Iterator[Client]:
    """Serves the example as the champion."""
    put(CHAMPION, example)
    with serving(Path()) as started:
        yield started


def test_a_promoted_model_is_served(client: Client, dearer: Example) -> None:
    """A new champion with its record is served without a restart, and everything follows it."""
    first = client.post("/predict", json=row()).json()
    page = client.get("/").text
    md5 = put(CHAMPION, dearer)
    until(lambda: served(client) == md5)
    second = client.post("/predict", json=row()).json()
    assert second["model"] == md5 == client.get("/metadata").json()["md5"]
    assert second["prediction"] == pytest.approx(2 * first["prediction"], rel=1e-3)
    assert md5 in client.get("/").text
    assert md5 not in page
    assert f'md5="{md5}"' in client.get("/metrics").text
    assert (swaps(client, "ok"), swaps(client, "refused")) == (1, 0)


def test_the_old_model_is_freed(client: Client, dearer: Example) -> None:
    """After a swap the old model's memory is free, although tracebacks of refused requests held it."""
    old = weakref.ref(client.app.state.serving.served.model)
    for _ in range(10):
        assert client.post("/predict", json=row(rooms="x")).status_code == 422
    md5 = put(CHAMPION, dearer)
    until(lambda: served(client) == md5)
    until(lambda: old() is None)


def test_another_schema_is_followed(client: Client, example: Example, tmp_path: Path) -> None:
    """The contract and the OpenAPI document are those of the new model."""
    import onnx

    graph = onnx.load(example.path)
    description = json.loads(graph.metadata_props[0].value)
    description["schema"]["columns"][2]["max"] = 99
    graph.metadata_props[0].value = json.dumps(description)
    onnx.save(graph, "wider.onnx")
    assert client.post("/predict", json=row(rooms=50)).status_code == 422
    md5 = put(CHAMPION, example._replace(path=Path("wider.onnx")))
    until(lambda: served(client) == md5)
    assert client.post("/predict", json=row(rooms=50)).status_code == 200
    body = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"]["properties"]["rooms"]["maximum"] == 99
    assert "1 to 99" in client.get("/").text


def test_model_and_record_may_come_one_after_the_other(client: Client, dearer: Example) -> None:
    """Between the two steps of promote the old model serves, nothing is refused, and then the new one serves."""
    old = served(client)
    replace(CHAMPION, dearer.path.read_bytes())
    time.sleep(0.5)
    assert served(client) == old
    record(CHAMPION, digest(dearer.path, "md5"))
    until(lambda: served(client) == digest(dearer.path, "md5"))
    assert swaps(client, "refused") == 0


def test_promote_takes_the_champion_away_for_a_moment(client: Client, example: Example, dearer: Example) -> None:
    """Between the renames of promote (no champion, the new record, the new champion) the old model serves, no other
    takes its place, and nothing is refused."""
    old, md5 = served(client), digest(dearer.path, "md5")
    put(WORKSPACE, example)
    CHAMPION.unlink()
    time.sleep(0.3)
    record(CHAMPION, md5)
    time.sleep(0.3)
    assert client.post("/predict", json=row()).json()["model"] == served(client) == old
    assert client.get("/metadata").json()["path"] == CHAMPION.as_posix()
    replace(CHAMPION, dearer.path.read_bytes())
    until(lambda: served(client) == md5)
    assert (swaps(client, "ok"), swaps(client, "refused")) == (1, 0)


def test_a_bad_model_is_refused(client: Client, dearer: Example, caplog: pytest.LogCaptureFixture) -> None:
    """A champion that fails a check does not serve: the old one serves on, and the refusal is logged and counted
    once. A good one is taken afterwards."""
    old = served(client)
    replace(CHAMPION, dearer.path.read_bytes()[:-100])
    until(lambda: swaps(client, "refused") == 1)
    assert "refused: models/champion.onnx has md5" in caplog.text
    time.sleep(0.3)
    assert (served(client), swaps(client, "refused")) == (old, 1)
    md5 = put(CHAMPION, dearer)
    until(lambda: served(client) == md5)


def test_a_champion_that_is_gone_gives_way_to_nothing(client: Client, dearer: Example) -> None:
    """While the champion's file is away no unpromoted model takes its place."""
    old = served(client)
    put(WORKSPACE, dearer)
    CHAMPION.unlink()
    until(lambda: swaps(client, "refused") == 1)
    assert served(client) == old


def test_the_first_champion_replaces_the_workspace_model(example: Example, dearer: Example) -> None:
    """A server that began with nothing becomes ready with the first model, and promoted with the first champion."""
    with serving(Path()) as client:
        assert client.get("/ready").status_code == 503
        md5 = put(WORKSPACE, example)
        until(lambda: served(client) == md5)
        assert client.get("/metadata").json()["promoted"] is False
        md5 = put(CHAMPION, dearer)
        until(lambda: served(client) == md5)
        assert client.get("/metadata").json()["promoted"] is True


@pytest.mark.parametrize("error", [(OSError, errno.EACCES), (OSError, errno.EIO), (OSError, errno.ESTALE), (KeyError,)])
def test_files_that_cannot_be_seen_end_no_watch(
    example: Example, dearer: Example, error: tuple[Any, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a look at the files raises, the old model serves, /health is 200, each failure is counted and one is
    logged; afterwards the next model is taken."""
    caplog.set_level("INFO", "uvicorn.error")
    old = put(WORKSPACE, example)
    with serving(Path()) as client:
        with sick(error[0], *error[1:], "broke"):
            until(lambda: metric(client, "api_model_watch_errors_total") >= 10)
            assert client.get("/health").json()["ready"] is True
            assert served(client) == old
        md5 = put(CHAMPION, dearer)
        until(lambda: served(client) == md5)
        assert swaps(client, "refused") == 0
    # Servers that other tests share watch as well, and log one each.
    assert 1 <= caplog.text.count("the model files cannot be watched") < 5
    assert 1 <= caplog.text.count("can be watched again") < 5


def test_a_start_without_sight_of_the_files(example: Example, caplog: pytest.LogCaptureFixture) -> None:
    """A server whose files cannot be seen at the start says why, lives, and serves once they can, although none has
    changed."""
    md5 = put(CHAMPION, example)
    with ExitStack() as stack:
        with sick(OSError, errno.EIO, "broke"):
            client = stack.enter_context(serving(Path()))
            assert "broke" in client.get("/ready").json()["detail"]
            assert client.get("/health").status_code == 200
        until(lambda: served(client) == md5)
    assert "not ready" in caplog.text


def test_a_file_that_can_be_read_only_later(client: Client, dearer: Example) -> None:
    """A new model whose content cannot be read is tried again until it can be."""
    content, md5 = dearer.path.read_bytes(), digest(dearer.path, "md5")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_bytes", Mock(side_effect=OSError(errno.ESTALE, "stale")))
        replace(CHAMPION, content)
        record(CHAMPION, md5)
        until(lambda: metric(client, "api_model_watch_errors_total") >= 2)
    until(lambda: served(client) == md5)
    assert swaps(client, "refused") == 0


def test_the_event_loop_looks_at_no_file(client: Client, dearer: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system may be slow: the watch finds and reads the model in threads of its own."""
    threads = set()
    path = model_files.path
    monkeypatch.setattr(
        model_files, "path", lambda serving: (threads.add(threading.current_thread()), path(serving))[1]
    )
    md5 = put(CHAMPION, dearer)
    until(lambda: served(client) == md5)
    assert client.blocking_portal.call(threading.current_thread) not in threads


def test_a_watch_that_hangs_is_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that does not answer stops no request, and is counted."""
    monkeypatch.setattr(reloader, "PATIENCE", 0.1)
    seen = model_files.seen
    monkeypatch.setattr(model_files, "seen", lambda serving: (time.sleep(0.5), seen(serving))[1])
    until(lambda: metric(client, "api_model_watch_errors_total") >= 2)
    assert client.post("/predict", json=row()).status_code == 200


def test_a_model_that_cannot_be_read_to_its_end_is_told(
    client: Client, dearer: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose bytes do not come stops no request and is counted; the next model is served."""
    monkeypatch.setattr(reloader, "LOADING", 0.1)
    os.mkfifo("silent")
    Path("silent").replace(CHAMPION)
    until(lambda: metric(client, "api_model_watch_errors_total") >= 1)
    assert client.post("/predict", json=row()).status_code == 200
    monkeypatch.setattr(reloader, "LOADING", 60)
    with CHAMPION.open("wb"):  # ends the reading that waits
        md5 = put(CHAMPION, dearer)
    until(lambda: served(client) == md5)
