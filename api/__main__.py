"""Run the server.

python -m api --host 0.0.0.0 --port 8080
"""

import argparse
import contextlib
import os
import signal
import sys
import tempfile

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from api import settings
from api.prediction_log import database
from api.telemetry import logging_config
from pipeline.contract import errors

# Seconds that requests may take to end once the process is told to stop, and that a busy worker may be silent before
# it is taken for hung and killed.
GRACE = 30


class Workers(Multiprocess):
    """Uvicorn's processes, but SIGHUP is for each of them, to look for another model, and restarts none."""

    def handle_hup(self) -> None:
        for process in self.processes:
            # One that still starts would die of it; it looks on its own as soon as it serves.
            if process.pid and process.is_ready():
                os.kill(process.pid, signal.SIGHUP)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m api",
        description="Serve predictions over HTTP.",
        epilog="The model: MODEL_PATH, else models/champion.onnx, else models/model.onnx. Settings are environment "
        f"variables, explained in docs/serving.md: {', '.join(settings.NAMES)}.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, help="port to listen on (default: $PORT or 8000)")
    arguments = parser.parse_args()
    # Read here too: a setting that is not valid then ends the start with one line and no traceback.
    chosen = settings.load()
    database.connect(chosen.prediction_log_url)
    # Uvicorn stops in good order and then raises the signal again; without this the exit code would be -15.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is a model to look after, see api.model.reloader
    config = uvicorn.Config(
        "api.app:create_app",
        factory=True,
        host=arguments.host,
        port=chosen.port if arguments.port is None else arguments.port,
        workers=chosen.workers,
        log_config=logging_config.config(chosen),
        access_log=False,  # api.http.middleware writes a line for each request
        timeout_graceful_shutdown=GRACE,
        timeout_worker_healthcheck=GRACE,
        server_header=False,
    )
    if chosen.workers == 1:
        _run_here(config)
    else:
        with tempfile.TemporaryDirectory(prefix="metrics-") as folder:
            os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)
            Workers(config, sockets=[config.bind_socket()]).run()


def _run_here(config: uvicorn.Config) -> None:
    server = uvicorn.Server(config)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


if __name__ == "__main__":
    errors.run_command(main)
