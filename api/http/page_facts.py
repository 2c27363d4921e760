"""Metrics and drift verdict for the page, from the project's files; a container has none of them."""

from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import msgspec

from pipeline.contract import dvc_records, paths
from pipeline.contract.errors import PipelineError

# Of stages.drift.
VERDICTS = ("insufficient", "none", "data_quality", "shifted", "risk")

T = TypeVar("T")


class Drift(msgspec.Struct, frozen=True):
    """The last comparison of live rows with the reference."""

    verdict: str
    drift_detected: bool
    n_live: int


class Evaluation(msgspec.Struct, frozen=True):
    """Metrics on the test split; errors are in the target's unit. R² is None where the target never varies, and the
    interval for a single row."""

    rmse: float
    r2: float | None
    rmse_ci_low: float | None
    rmse_ci_high: float | None
    baseline_rmse: float
    coverage: float
    n_test: int


def drift() -> Drift | None:
    """Return the last drift verdict, None without a report."""
    return _read(paths.DRIFT_METRICS, Drift)


def evaluation(md5: str) -> Evaluation | None:
    """Return the metrics of the model file with this md5.

    None if the last evaluation was of another file: a champion must not show the metrics of its challenger.
    """
    try:
        found = paths.LOCK.stat()
    except OSError:
        return None
    if _evaluated(found.st_mtime_ns, found.st_size) != md5:
        return None
    return _read(paths.EVALUATE_METRICS, Evaluation)


@lru_cache(maxsize=1)
def _evaluated(time: int, size: int) -> str | None:
    """Return the md5 of the evaluated model; cached by the lock's time and size, for reading the lock is slow."""
    try:
        return dvc_records.md5_of_input("evaluate", paths.MODEL)
    except PipelineError:
        return None


def _read(path: Path, kind: type[T]) -> T | None:
    """Return the file's content, None if it is missing or damaged: no reason to stop serving the model."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError):
        return None
