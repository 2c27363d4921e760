"""The model file alone, as the server uses it, against the file of the XGBoost family: times and sizes.

    python -m bench model

The files take turns, and times are of the CPU, for a busy machine slows both down. Times and ratios are medians over
the rounds.
"""

import time
import timeit
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.contract import paths
from pipeline.contract.onnx_model import Model
from pipeline.tables import parquet
from pipeline.tables.feature_matrix import to_matrix

XGBOOST = paths.CANDIDATES / "xgboost.onnx"
BATCH = 1000  # rows
SLOWER = 4  # times as long as XGBoost, at most
SIZE = 5  # MB, at most


def lines(peer: Path = XGBOOST, rounds: int = 20) -> Iterator[str]:
    """The table in Markdown."""
    models = [Model.load(path) for path in (paths.MODEL, peer)]
    known = to_matrix(parquet.read(paths.REFERENCE), models[0].description.columns)
    matrix = np.resize(known, (BATCH, known.shape[1]))  # repeats the rows
    yield f"| what | {paths.MODEL} | {peer} | ratio | goal |"
    yield "|---" * 5 + "|"
    for rows in (1, BATCH):
        times = np.array([[_seconds(model, matrix[:rows]) for model in models] for _ in range(rounds)])
        ours, theirs = np.median(times, axis=0) * 1e3
        ratio = np.median(times[:, 0] / times[:, 1])
        goal = f"at most {SLOWER} {'met' if ratio <= SLOWER else 'missed'}"
        yield f"| CPU ms for rows: {rows} | {ours:.3f} | {theirs:.3f} | {ratio:.2f} | {goal} |"
    ours, theirs = (path.stat().st_size / 1e6 for path in (paths.MODEL, peer))
    goal = f"at most {SIZE} MB {'met' if ours <= SIZE else 'missed'}"
    yield f"| size, MB | {ours:.2f} | {theirs:.2f} | {ours / theirs:.2f} | {goal} |"


def _seconds(model: Model, matrix: np.ndarray) -> float:
    """Return the mean CPU time of a prediction, over at least 0.2 s."""
    runs, seconds = timeit.Timer(lambda: model.predict(matrix), timer=time.process_time).autorange()
    return seconds / runs
