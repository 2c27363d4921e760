"""Run the server.

python -m api --host 0.0.0.0 --port 8080
"""

import argparse
import os
import signal
import sys
import tempfile
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from api import settings
from api.prediction_log import database
from api.telemetry import logging_config
from pipeline.contract import errors

APPLICATION = "api.app:create_app"
# Seconds that requests may take to end after a signal to stop, and after which a silent worker is killed as hung.
GRACE = 30


class Workers(Multiprocess):
    """Uvicorn's processes, but SIGHUP tells each to look for another model, and restarts none, and a second signal to
    stop reaches them too."""

    def handle_hup(self) -> None:
        for process in self.processes:
            # One that still starts would die of the signal; it looks on its own once it serves.
            if process.pid and process.is_ready():
                os.kill(process.pid, signal.SIGHUP)

    def handle_int(self) -> None:
        super().handle_int()
        self.signal_queue.append(signal.SIGTERM)  # the second one: an interrupt waits for no draining

    def join_all(self) -> None:
        """Wait until all have ended, and pass a second signal on."""
        for process in self.processes:
            while process.process.is_alive():
                process.process.join(0.2)
                if self.signal_queue:
                    self.signal_queue.clear()
                    self.terminate_all()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m api",
        description="Serve predictions over HTTP.",
        epilog="The model: MODEL_PATH, else models/champion.onnx, else models/model.onnx. Settings are environment "
        f"variables, explained in docs/serving.md: {', '.join(settings.NAMES)}.",
    )
    parser.add_argument("--host", help="address to listen on (default: $BIND_ADDRESS or 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default: $PORT or 8000)")
    arguments = parser.parse_args()
    # Read here too, so that an invalid setting ends the start with one line and no traceback.
    chosen = settings.load()
    database.connect(chosen.prediction_log_url)
    # The application, which each worker makes by itself, reads there whether other machines reach it.
    os.environ["BIND_ADDRESS"] = arguments.host or chosen.bind_address or "127.0.0.1"
    # Uvicorn raises the signal again after it has stopped; without this the exit code would be -15.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until api.model.reloader handles it
    options: dict[str, Any] = {
        "factory": True,
        "host": os.environ["BIND_ADDRESS"],
        "port": chosen.port if arguments.port is None else arguments.port,
        "workers": chosen.workers,
        "log_config": logging_config.config(chosen),
        "access_log": False,  # api.http.middleware writes a line for each request
        "timeout_graceful_shutdown": GRACE,
        "timeout_worker_healthcheck": GRACE,
        "server_header": False,
        "http": "api.http.protocol:Protocol",
        "ws": "none",
        "proxy_headers": False,  # nothing here asks for the client's address
    }
    if chosen.workers == 1:
        uvicorn.run(APPLICATION, **options)
        return
    with tempfile.TemporaryDirectory(prefix="metrics-") as folder:
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)
        config = uvicorn.Config(APPLICATION, **options)
        Workers(config, sockets=[config.bind_socket()]).run()


if __name__ == "__main__":
    errors.run_command(main)
