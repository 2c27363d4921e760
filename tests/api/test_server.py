"""A real server in its own process, on the loopback: what users start."""

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api import settings
from api.__main__ import main
from tests.api.conftest import JSON, Example, row, until

ROOT = Path(__file__).parents[2]
# Run the command's own main, and tell what the process has imported when it ends.
PROGRAM = "import json, sys; from api.__main__ import main; main(); print(json.dumps(sorted(sys.modules)))"
HEAVY = {"dvc", "fsspec", "pandas", "pyarrow", "scipy", "sklearn", "xgboost", "joblib", "onnx"}


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **more}


class Server:
    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "--port", str(port), *arguments],
            cwd=folder,
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a group of its own, with its workers
        )

    def __enter__(self) -> "Server":
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def wait(self) -> None:
        """Return as soon as it answers."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{self.url}/health")
            except httpx.TransportError:
                assert self.process.poll() is None, self.process.communicate()
                time.sleep(0.05)
            else:
                return
        self.kill()
        raise AssertionError("the server did not answer within 20 s")

    def kill(self) -> None:
        """End it and its workers, whatever they do."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def stop(self) -> tuple[set[str], str]:
        """Interrupt it; the top-level modules that it had imported, and its log."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=20)
        return {name.partition(".")[0] for name in json.loads(out.splitlines()[-1])}, err


@pytest.fixture
def server(example: Example, tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path, MODEL_PATH=str(example.path)) as started:
        yield started


def post_large(port: int) -> bytes:
    """The first line of the answer to 20 MB, from a client that sends all before it reads."""
    size = 20_000_000
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + b"x" * size)
        return connection.makefile("rb").readline().strip()


def test_a_real_server_answers_everything(server: Server) -> None:
    """Each path answers over a socket, a large body is refused with an answer and not with a reset, and the process
    has imported none of the libraries that only training needs."""
    with httpx.Client(base_url=server.url) as client:
        for path in ("/health", "/ready", "/metadata", "/metrics", "/openapi.json", "/docs", "/"):
            got, head = client.get(path), client.head(path)
            assert (got.status_code, head.status_code, head.content) == (200, 200, b"")
            assert head.headers["content-type"] == got.headers["content-type"]
            assert path == "/metrics" or head.headers["content-length"] == got.headers["content-length"]
            assert "HEAD" in client.delete(path).headers["allow"]
        assert client.head("/static/page.js").status_code == 200
        assert client.post("/predict", json=row()).json()["prediction"] > 0
        assert post_large(client.base_url.port or 80) == b"HTTP/1.1 413 Request Entity Too Large"
        assert client.post("/predict", json=row(rooms="x")).status_code == 422
        assert client.get("/nope").headers["content-type"] == "application/problem+json"
    modules, log = server.stop()
    assert {"api", "litestar", "onnxruntime", "pipeline"} <= modules
    assert not HEAVY & modules
    assert "linear, 9 features" in log
    assert "unpromoted" in log
    assert "Traceback" not in log


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 404), ("0.0.0.0", 403)])  # noqa: S104
def test_each_worker_knows_the_address(example: Example, tmp_path: Path, host: str, status: int) -> None:
    """The address of --host, and no other, decides in every worker whether feedback needs a key."""
    variables = {"MODEL_PATH": str(example.path), "WORKERS": "2", "BIND_ADDRESS": "10.255.255.255"}
    with Server(tmp_path, "--host", host, **variables) as server:
        sent = {"id": "nobody", "actual": 1}
        assert {httpx.post(f"{server.url}/feedback", json=sent).status_code for _ in range(20)} == {status}


def test_sigterm_finishes_requests_and_flushes(server: Server) -> None:
    """A request that has begun when SIGTERM comes is answered, its line is written, and the exit code is 0."""
    body = json.dumps(row()).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=20) as connection:
        connection.sendall(f"{head}X-Request-Id: the-last\r\n\r\n".encode() + body[:20])
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert server.process.poll() is None
        connection.sendall(body[20:])
        assert connection.makefile("rb").readline().strip() == b"HTTP/1.1 200 OK"
    out, err = server.process.communicate(timeout=20)
    assert server.process.returncode == 0
    [line] = [json.loads(line) for line in out.splitlines() if "the-last" in line]
    assert (line["path"], line["status"], line["request_id"]) == ("/predict", 200, "the-last")
    assert all(json.loads(line)["level"] == "INFO" for line in err.splitlines())


def test_a_client_that_leaves_is_counted(server: Server, tmp_path: Path) -> None:
    """A request whose client leaves before the answer, or in the middle of its body, has status 499 in the metrics and
    in its line; what was predicted is in the log."""
    content = json.dumps(row()).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    lock = sqlite3.connect(tmp_path / "data/log/predictions.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")  # an answer waits for it
    for name, body in (("early", content), ("half", content[:20])):
        with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=20) as connection:
            connection.sendall(f"{head}X-Request-Id: {name}\r\n\r\n".encode() + body)
            time.sleep(0.3)
    time.sleep(0.3)
    lock.execute("ROLLBACK")
    gone = 'http_requests_total{key="",method="POST",path="/predict",status="499"} 2.0\n'
    until(lambda: gone in httpx.get(f"{server.url}/metrics").text)
    server.process.terminate()
    out, _ = server.process.communicate(timeout=20)
    lines = {line["request_id"]: line["status"] for line in map(json.loads, out.splitlines()[:-1])}
    assert (lines["early"], lines["half"]) == (499, 499)
    assert lock.execute("SELECT count(*) FROM predictions").fetchone() == (1,)
    lock.close()


def test_no_log_has_a_key_or_a_body(example: Example, tmp_path: Path) -> None:
    """Whatever is sent, and although the prediction log fails, neither stdout nor stderr has an API key, or a part of a
    body or of a query."""
    secrets = ["the-valid-key", "a-wrong-key", "in-the-body", "in-the-query"]
    bodies = [
        json.dumps(change).encode() for change in (row(distrito=secrets[2]), row(note=secrets[2], listing=secrets[2]))
    ]
    bodies += [b'{"in-the-body": ', b"in-the-body\0\xff", b'"\\ud800in-the-body"', b"[" * 5000 + b'"in-the-body"']
    bodies += [json.dumps({"id": each, "actual": 1}).encode() for each in (secrets[2], "\ud800" + secrets[2])]
    variables = {"MODEL_PATH": str(example.path), "API_KEYS": secrets[0], "LOG_LEVEL": "debug"}
    with Server(tmp_path, **variables) as server, httpx.Client(base_url=server.url) as client:
        for moment in ("well", "sick"):
            if moment == "sick":
                shutil.rmtree(tmp_path / "data")
                (tmp_path / "data").write_text("in the way")
            for body, path in itertools.product(bodies, ("/predict", "/predict/batch", "/feedback", "/nope")):
                for headers in ({"X-API-Key": secrets[0]}, {"Authorization": f"Bearer {secrets[1]}"}):
                    url, content = f"{path}?q={secrets[3]}", b"[" + body + b"]" if "batch" in path else body
                    assert client.post(url, content=content, headers={**JSON, **headers}).status_code != 500
        server.process.terminate()
        out, err = server.process.communicate(timeout=20)
    assert "cannot be written" in err
    assert [secret for secret in secrets if secret in out + err] == []


def test_text_for_people(example: Example, tmp_path: Path) -> None:
    """With LOG_FORMAT=text the start names the model as the README shows it; LOG_LEVEL=warning leaves it out."""
    with Server(tmp_path, MODEL_PATH=str(example.path), LOG_FORMAT="text") as server:
        _, log = server.stop()
    assert f"INFO:     serving {example.path}: linear, 9 features, md5 " in log
    with Server(tmp_path, MODEL_PATH=str(example.path), LOG_LEVEL="warning") as server:
        server.process.terminate()
        assert server.process.communicate(timeout=20) == ("", "")


def test_importing_the_application_does_nothing(tmp_path: Path) -> None:
    """Importing api.app reads no setting and writes no file."""
    command = [sys.executable, "-B", "-c", "import api.app"]
    subprocess.run(command, cwd=tmp_path, env=environment(API_MAX_BODY="wrong"), check=True, capture_output=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "value"), [("API_MAX_BODY", "wrong"), ("PREDICTION_LOG_URL", "mysql://u:secret@h/d")])
def test_an_invalid_setting_stops_the_start(tmp_path: Path, name: str, value: str) -> None:
    """The server does not start with an invalid setting; one line names it, without a password."""
    command, variables = [sys.executable, "-m", "api"], environment(**{name: value})
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: environment variable {name}")
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


def test_the_help_names_the_settings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m api --help` lists the options and the environment variables."""
    monkeypatch.setattr(sys, "argv", ["api", "--help"])
    with pytest.raises(SystemExit):
        main()
    shown = capsys.readouterr().out
    assert [name for name in ("--host", "--port", *settings.NAMES) if name not in shown] == []
