"""Second evidence: champion and challenger in the cross-validation that both went through, fold by fold.

It decides nothing: the settings were chosen on the same folds, and five folds are few.
"""

from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from stages import files, recorded, registry, rows, tables
from stages.schema import Schema

TRAIN = Path("data/clean/train.parquet")
CANDIDATES = Path("models/candidates")
LEVEL = 0.95


class Folds(NamedTuple):
    """The change of RMSE, new / current - 1, over `n` folds with its two-sided interval at LEVEL."""

    change: float
    low: float
    high: float
    n: int


def corrected(champion: np.ndarray, challenger: np.ndarray, splits: list[tuple[np.ndarray, np.ndarray]]) -> Folds:
    """The t interval of the mean log ratio of RMSE over the folds, from squared out-of-fold errors [rows].

    Folds share training rows, so that the plain variance is too small: 1 / n becomes 1 / n + (rows held) / (rows
    trained on) (Nadeau and Bengio 2003, Inference for the Generalization Error, section 3, with one repetition).
    """
    ratios = np.array([np.log(challenger[held].mean() / champion[held].mean()) / 2 for _, held in splits])
    share = np.mean([len(held) / len(train) for train, held in splits])
    error = np.sqrt((1 / len(splits) + share) * ratios.var(ddof=1))
    half = special.stdtrit(len(splits) - 1, (1 + LEVEL) / 2) * error
    change, low, high = np.exp(ratios.mean() + np.array([0, -half, half])) - 1
    return Folds(float(change), float(low), float(high), len(splits))


def evidence(commit: str | None, champion: str, challenger: str, schema: Schema) -> str:
    """The change over the folds in a phrase, or why there is none.

    `commit`: whose run made the champion's file; `champion`, `challenger`: the families.
    """
    if commit is None:
        return "none, no recorded run made the champion's file"
    if recorded.hashes(commit).get(TRAIN.as_posix()) != files.digest(TRAIN, "md5"):
        return "none, the champion learned from other training rows"
    candidate = CANDIDATES / f"{challenger}.onnx"
    if not candidate.exists() or candidate.read_bytes() != registry.MODEL.read_bytes():
        return f"none, {registry.MODEL} is not the {challenger} of {CANDIDATES}"
    before = _out_of_fold(CANDIDATES / f"{champion}.oof.parquet", commit)
    if before is None:
        return "none, the champion's out-of-fold predictions are not in DVC's cache, or in parts"
    after = tables.read(CANDIDATES / f"{challenger}.oof.parquet")
    if not before["row"].equals(after["row"]):
        return "none, the champion's out-of-fold predictions are of other rows"
    splits = rows.splits(tables.read(TRAIN, ["fold"])["fold"].to_numpy(), schema)
    champion_errors, errors = (np.square(table["residual"].to_numpy(float)) for table in (before, after))
    found = corrected(champion_errors, errors, splits)
    return f"{found.change:+.1%}, {LEVEL:.0%} interval {found.low:+.1%} to {found.high:+.1%} over {found.n} folds"


def _out_of_fold(path: Path, commit: str) -> pd.DataFrame | None:
    import dvc.api
    from dvc.exceptions import DvcException

    try:
        return pd.read_parquet(BytesIO(dvc.api.read(path.as_posix(), rev=commit, mode="rb")))
    except (DvcException, OSError, ValueError):
        return None
