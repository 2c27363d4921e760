"""Run the server.

python -m api --host 0.0.0.0 --port 8080
"""

import argparse
import os

import uvicorn

from api import settings
from stages import errors


def main() -> None:
    port = settings.whole_number(os.environ, "PORT", 8000, 1, 65535)
    parser = argparse.ArgumentParser(
        prog="python -m api",
        description="Serve predictions over HTTP.",
        epilog="The model: MODEL_PATH, else models/champion.onnx, else models/model.onnx. "
        "Other settings: API_MAX_BODY (bytes of a request body, 65536), GIT_REVISION (shown by /metadata).",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", default=port, type=int, help="port to listen on (default: $PORT or 8000)")
    arguments = parser.parse_args()
    # Read here too: a setting that is not valid then ends the start with one line and no traceback.
    settings.load()
    uvicorn.run("api.app:create_app", factory=True, host=arguments.host, port=arguments.port)


if __name__ == "__main__":
    errors.run(main)
