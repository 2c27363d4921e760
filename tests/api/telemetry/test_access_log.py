"""The access log, and the lines of the log of the process."""

import asyncio
import errno
import json
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from api.settings import Settings
from api.telemetry import access_log, logging_config
from api.telemetry.access_log import RequestLines
from api.telemetry.logging_config import REQUEST_ID, JsonFormatter


def request(path: str, **more: str) -> dict[str, Any]:
    """The scope of a request, as the middleware leaves it."""
    return {"method": "GET", "path": path, "request_id": "id-1", "trace_id": None, **more}


def written(capfdbinary: Any, as_json: bool, paths: list[str], **more: str) -> list[bytes]:
    """The lines of requests for these paths."""

    async def act() -> None:
        lines = RequestLines(as_json, Mock())
        for path in paths:
            lines.add(asyncio.get_running_loop(), request(path, **more), 200, 0.0012346)
        lines.flush()

    asyncio.run(act())
    return capfdbinary.readouterr().out.splitlines()


def test_a_request_as_json(capfdbinary: Any) -> None:
    """Each request is one JSON object with time, level, message, request id, method, path, status and ms."""
    [line] = written(capfdbinary, True, ["/predict"])
    content = json.loads(line)
    assert content.pop("time").endswith("Z")
    assert content == {
        "level": "INFO",
        "message": "request",
        "request_id": "id-1",
        "method": "GET",
        "path": "/predict",
        "status": 200,
        "ms": 1.235,
    }


@pytest.mark.parametrize("as_json", [True, False])
def test_the_trace_and_the_name_of_the_key(capfdbinary: Any, as_json: bool) -> None:
    """A line has the trace id and the name of the caller's key where there are some."""
    [line] = written(capfdbinary, as_json, ["/predict"], trace_id="0af7651916cd43dd8448eb211c80319c", key_name="shop")
    if as_json:
        content = json.loads(line)
        assert (content["trace_id"], content["key"]) == ("0af7651916cd43dd8448eb211c80319c", "shop")
    else:
        assert line.endswith(b" ms id-1 trace 0af7651916cd43dd8448eb211c80319c key shop")


@pytest.mark.parametrize("as_json", [True, False])
def test_no_path_makes_a_line_of_its_own(capfdbinary: Any, as_json: bool) -> None:
    """Line ends, control characters, lone surrogates and long paths of callers stay inside of one short line."""
    found = written(capfdbinary, as_json, ['/a\nINFO: "forged"', "/\x1b[31m", "/\udcff", "/" + "x" * 5000])
    assert len(found) == 4
    assert b"\x1b" not in b"".join(found)
    assert max(map(len, found)) < 400


def test_pieces_are_small_enough_to_stay_whole(capfdbinary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write ends with a whole line and has no more bytes than POSIX keeps together on a pipe."""
    pieces = []
    monkeypatch.setattr(os, "write", lambda file, content: (pieces.append(content), len(content))[1])
    written(capfdbinary, True, ["/predict"] * 100)
    assert 1 < len(pieces) < 10
    assert all(len(piece) <= 4096 and piece.endswith(b"\n") for piece in pieces)


def test_a_reader_that_does_not_read_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """If stdout is full, lines wait and then are dropped, and no request waits; whole lines follow later."""
    read, write = os.pipe()
    with os.fdopen(write, "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        monkeypatch.setattr(access_log, "MOST_WAITING", 3)

        async def act() -> None:
            lines = RequestLines(True, Mock())
            for _ in range(2000):
                lines.add(asyncio.get_running_loop(), request("/predict"), 200, 0.001)
            first = os.read(read, 2**20)
            lines.flush()
            content = first + os.read(read, 2**20)
            assert 65536 / 2 < len(content) < 2000 * 100
            assert all(json.loads(line)["status"] == 200 for line in content.splitlines())

        asyncio.run(act())
    os.close(read)


def test_a_disk_that_was_full_gets_later_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While the disk is full lines wait, the later ones are dropped and counted; once it has space, the log goes on."""
    lost = Mock()
    monkeypatch.setattr(access_log, "MOST_WAITING", 2)
    with open("/dev/full", "w") as stdout, open(tmp_path / "log", "w") as file:
        monkeypatch.setattr(sys, "stdout", stdout)
        lines = RequestLines(True, lost)

        async def act() -> None:
            for number in range(200):
                lines.add(asyncio.get_running_loop(), request(f"/{number}"), 200, 0.001)
            lines.flush()
            os.dup2(file.fileno(), stdout.fileno())
            lines.add(asyncio.get_running_loop(), request("/last"), 200, 0.001)
            lines.flush()

        asyncio.run(act())
        found = [json.loads(line)["path"] for line in (tmp_path / "log").read_text().splitlines()]
    dropped = sum(call.args[0] for call in lost.call_args_list)
    assert found == [f"/{number}" for number in range(200 - dropped)] + ["/last"]
    assert 0 < dropped < 200
    assert f"{dropped} lines of requests were dropped" in caplog.text


def test_a_line_that_is_half_written_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    """If only a part of a piece fits on the disk, the rest follows later."""
    pieces = []

    def write(file: int, content: bytes) -> int:
        if len(pieces) == 1:
            pieces.append(b"")
            raise OSError(errno.ENOSPC, "full")
        pieces.append(content[:40])
        return len(pieces[-1])

    monkeypatch.setattr(os, "write", write)
    lines = RequestLines(True, Mock())
    lines._lines = [line := b"x" * 99 + b"\n"]
    lines.flush()
    lines.flush()
    assert b"".join(pieces) == line


def test_a_socket_that_nobody_reads_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under systemd stdout is a socket: one that is full makes no request wait either."""
    theirs, ours = socket.socketpair()
    with theirs, open(os.dup(ours.fileno()), "w") as stdout, ours:
        monkeypatch.setattr(sys, "stdout", stdout)
        lines = RequestLines(True, lost := Mock())
        lines._pieces.extend([b"x\n" * 2000] * 1000)
        lines.flush()
        assert lost.call_args.args[0] > 1000
        assert theirs.recv(4) == b"x\nx\n"


def test_a_closed_stdout_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """If nobody reads the lines any more, requests are answered as before, and the end waits for a second only."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as broken:
        monkeypatch.setattr(sys, "stdout", broken)
        lines = RequestLines(True, Mock())
        lines._lines = [b"x\n"]
        lines.flush()
        lines.close()


def test_the_id_of_the_request_stands_in_its_lines() -> None:
    """A log line written while a request is answered has its id, and a traceback stays in the one line."""
    REQUEST_ID.set("id-2")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "it %s", ("broke",), sys.exc_info())
    line = JsonFormatter().format(record)
    REQUEST_ID.set("")
    content = json.loads(line)
    assert "\n" not in line
    assert (content["message"], content["level"], content["request_id"]) == ("it broke", "ERROR", "id-2")
    assert "ValueError" in content["traceback"]


@pytest.mark.parametrize(("chosen", "expected"), [("json", True), ("text", False), (None, True)])
def test_json_is_for_what_is_no_terminal(chosen: Any, expected: bool) -> None:
    """LOG_FORMAT decides; without it all but a terminal gets JSON."""
    assert logging_config.is_json(Settings(log_format=chosen)) is expected
