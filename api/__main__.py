"""Run the server.

python -m api --host 0.0.0.0 --port 8080
"""

import argparse
import os

import uvicorn

from api import log_tables, settings
from stages import errors


def main() -> None:
    port = settings.whole_number(os.environ, "PORT", 8000, 1, 65535)
    workers = settings.whole_number(os.environ, "WORKERS", 1, 1, 64)
    parser = argparse.ArgumentParser(
        prog="python -m api",
        description="Serve predictions over HTTP.",
        epilog="The model: MODEL_PATH, else models/champion.onnx, else models/model.onnx. "
        "Other settings: API_MAX_BODY (bytes of a request body, 65536), API_MAX_BATCH (rows of a batch, 1000), "
        "API_MAX_BATCH_BODY (its bytes, 8388608), GIT_REVISION (shown by /metadata). The prediction log: "
        "PREDICTION_LOG_URL, LOG_SYNCHRONOUS (FULL, NORMAL or OFF), LOG_REQUIRED (true or false), LOG_MAX_DAYS, "
        "LOG_MAX_ROWS (0: keep all); docs/prediction-log.md says more.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--workers", default=workers, type=int, help="processes (default: $WORKERS or 1)")
    parser.add_argument("--port", default=port, type=int, help="port to listen on (default: $PORT or 8000)")
    arguments = parser.parse_args()
    # Read here too: a setting that is not valid then ends the start with one line and no traceback.
    log_tables.connect(settings.load().log_url)
    uvicorn.run(
        "api.app:create_app",
        factory=True,
        host=arguments.host,
        port=arguments.port,
        workers=arguments.workers,
        access_log=False,  # a line for each request costs as much as its prediction
    )


if __name__ == "__main__":
    errors.run(main)
