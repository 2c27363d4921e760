"""The server against the floor and its peers, in one run: requests a second, latency, batches, start and memory.

Every server has one worker and 64 connections. They are measured in turn, in rounds of changing order; a figure is the
median over the rounds, and a ratio is the median of the rounds' ratios, for a busy machine slows all of a round down.

    python -m bench.serving
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from bench import load
from bench.load import Result
from pipeline.contract import errors, paths
from pipeline.contract.description import Description
from pipeline.contract.onnx_model import Model
from pipeline.tables import atomic_files, parquet
from pipeline.tables.feature_matrix import to_matrix

CONNECTIONS = 64
BATCH = 1000  # rows
FLOOR = "uvicorn, a constant (the floor)"
OURS = "this server, log on the disk (`FULL`)"
MODEL = Path("models/model.onnx")


def lines(rounds: int = 5, seconds: int = 3) -> Iterator[str]:
    """The tables in Markdown; `seconds` of each measurement."""
    model = Model.load(MODEL)
    sent = rows(model.description)
    body, batch = json.dumps(sent[0]).encode(), json.dumps(sent).encode()
    matrix = np.array([list(row.values()) for row in sent], dtype=float)
    found: dict[str, list[Result]] = {}
    batches, bare = [], []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        servers = {
            name: stack.enter_context(server(command, variables))
            for name, (command, variables) in _commands(Path(folder), list(sent[0])).items()
        }
        for url, _ in servers.values():
            load.post(f"{url}/predict", body, 1, CONNECTIONS)
        for number in range(rounds):
            names = list(servers)[:: 1 if number % 2 else -1]
            for name in names:
                found.setdefault(name, []).append(load.post(f"{servers[name][0]}/predict", body, seconds, CONNECTIONS))
            batches.append(load.post(f"{servers[OURS][0]}/predict/batch", batch, seconds, 4).rate * BATCH)
            bare.append(_bare_rows(matrix, seconds))
        memory = _resident_mb(servers[OURS][1])
        ready = statistics.median(_seconds_to_ready(Path(folder)) for _ in range(3))
    yield from _table({name: found[name] for name in servers})
    yield from ("", "| what | figure | goal | |", "|---|---|---|---|")
    yield _line(
        "rows/s in batches of 1000, as a share of the bare ONNX session's",
        _ratio(batches, bare),
        0.6,
        True,
        f"{statistics.median(batches):,.0f} of {statistics.median(bare):,.0f}",
    )
    yield _line("seconds from start to ready", ready, 1, False)
    yield _line("MB resident after the load", memory, 150, False)


def rows(about: Description) -> list[dict[str, Any]]:
    """BATCH training rows as bodies of numbers; none with a missing value, for no peer imputes."""
    table = parquet.read(Path("models/reference.parquet")).dropna()
    matrix = to_matrix(table, about.columns)
    known = [
        {c.name: int(n) if c.dtype in ("int", "bool") else n for c, n in zip(about.columns, row, strict=True)}
        for row in matrix.tolist()
    ]
    return [known[number % len(known)] for number in range(BATCH)]


def _table(found: dict[str, list[Result]]) -> list[str]:
    floor = found[FLOOR]
    lines = ["| server | requests/s | of the floor | p99 ms | of the floor's | failed |", "|---|---|---|---|---|---|"]
    for name, results in found.items():
        rates, times = [r.rate for r in results], [r.p99 for r in results]
        lines.append(
            f"| {name} | {statistics.median(rates):,.0f} | {_ratio(rates, [r.rate for r in floor]):.2f} "
            f"| {statistics.median(times):.1f} | {_ratio(times, [r.p99 for r in floor]):.1f} "
            f"| {sum(r.failed for r in results)} |"
        )
    return lines


def _line(what: str, figure: float, goal: float, more: bool, note: str = "") -> str:
    met = figure >= goal if more else figure <= goal
    verdict = f"{'at least' if more else 'at most'} {goal} {'met' if met else 'missed'}"
    return f"| {what} | {figure:.2f} | {verdict} | {note} |"


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def _commands(folder: Path, features: list[str]) -> dict[str, tuple[list[str], dict[str, str]]]:
    weights = json.dumps(atomic_files.read_json(paths.SELECT_METRICS)["weights"])
    peers = {"BENCH_FEATURES": "\n".join(features), "BENCH_WEIGHTS": weights}
    quiet = ["--log-level", "warning", "--no-access-log"]
    return {
        FLOOR: (["uvicorn", "bench.peers:floor", *quiet], peers),
        "Litestar, typed body, a constant": (["uvicorn", "bench.peers:litestar", "--factory", *quiet], peers),
        "FastAPI + scikit-learn": (["uvicorn", "bench.peers:fastapi", "--factory", *quiet], peers),
        OURS: (["api"], _ours(folder / "full.db")),
        "this server, `LOG_SYNCHRONOUS=NORMAL`": (["api"], _ours(folder / "normal.db") | {"LOG_SYNCHRONOUS": "NORMAL"}),
    }


def _ours(log: Path) -> dict[str, str]:
    return {"MODEL_PATH": str(MODEL), "PREDICTION_LOG_URL": f"sqlite:///{log}"}


@contextmanager
def server(command: list[str], variables: dict[str, str], **options: Any) -> Iterator[tuple[str, int]]:
    """Its URL and process, once it answers; options of `subprocess.Popen`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--port", str(port)],
        env={**os.environ, **variables},
        **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while not _answers(f"{url}/ready"):
            if process.poll() is not None:
                raise RuntimeError(f"{' '.join(command)} ended with exit code {process.returncode}")
            time.sleep(0.005)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10):  # noqa: S310 - a server of our own
            return True
    except urllib.error.HTTPError as error:
        return error.code != 503  # a peer has no such path
    except OSError:
        return False


def _seconds_to_ready(folder: Path) -> float:
    begun = time.perf_counter()
    with server(["api"], _ours(folder / "start.db")):
        return time.perf_counter() - begun


def _resident_mb(process: int) -> float:
    """Linux: the resident set, in units of 10^6 bytes."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6


def _bare_rows(matrix: np.ndarray, seconds: int) -> float:
    """Rows a second of the model alone, with the server's options."""
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(MODEL.read_bytes(), options, providers=["CPUExecutionProvider"])
    runs, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        session.run(None, {"features": matrix})
        runs += 1
    return runs * len(matrix) / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (default: %(default)s)")
    arguments = parser.parse_args()
    print(*lines(arguments.rounds, arguments.seconds), sep="\n")


if __name__ == "__main__":
    errors.run_command(main)
