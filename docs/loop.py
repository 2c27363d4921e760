"""The client of docs/loop.md: asks a running server for predictions, and sends it the actual values.

python docs/loop.py serving v1.0.0      # wait until it serves this version
python docs/loop.py ask 100             # rows of the test split, as they are
python docs/loop.py ask 300 --moved     # rows of the training split: LSTAT 8 points higher, a fifth fewer rooms
python docs/loop.py tell                # the actual values of the last rows
"""

import argparse
import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

import httpx
import pandas as pd

URL = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
ASKED = Path("data/log/asked.json")
PATIENCE = 60  # seconds


def call(path: str, body: Any = None) -> Any:
    answer = httpx.get(URL + path) if body is None else httpx.post(URL + path, json=body)
    return answer.raise_for_status().json()


def serving(version: str) -> str:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if (about := call("/metadata")).get("version") == version:
                return f"{about['version']}: {about['family']}, md5 {about['md5']}"
        time.sleep(0.2)
    raise SystemExit(f"{URL} does not serve {version} after {PATIENCE} s")


def ask(count: int, moved: bool) -> str:
    # The next model learns from moved rows, so none may derive from a test row.
    table = pd.read_parquet(f"data/clean/{'train' if moved else 'test'}.parquet").sample(count, random_state=count)
    if moved:
        table = table.assign(LSTAT=table["LSTAT"] + 8, RM=0.8 * table["RM"])
    answers = call("/predict/batch", json.loads(table.drop(columns=["row", "fold", "MEDV"]).to_json(orient="records")))
    asked = [{"id": answer["id"], "actual": actual} for answer, actual in zip(answers, table["MEDV"], strict=True)]
    ASKED.write_text(json.dumps(asked))
    errors = table["MEDV"] - [answer["prediction"] for answer in answers]
    return f"{count} predictions, RMSE {(errors**2).mean() ** 0.5:.2f}"


def tell() -> str:
    asked = json.loads(ASKED.read_text())
    for each in asked:
        call("/feedback", each)
    return f"{len(asked)} actual values"


def main() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("serving").add_argument("version")
    asking = commands.add_parser("ask")
    asking.add_argument("count", type=int)
    asking.add_argument("--moved", action="store_true")
    commands.add_parser("tell")
    given = vars(parser.parse_args())
    print({"serving": serving, "ask": ask, "tell": tell}[given.pop("command")](**given))


if __name__ == "__main__":
    main()
