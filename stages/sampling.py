"""Rows of a typed table that stand for all of them: those whose numbers have the smallest hashes.

Which rows these are does not depend on the parts of the table, and only their numbers are read to find them.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from stages import rows, tables

# Rows that a model is judged on: resampling them 2,000 times takes a minute, and the standard error of an RMSE is 0.2 %
# of it (1 / sqrt(2 n), for normal errors). A smaller test split is judged on all of its rows. Of training rows in parts
# as many give the intervals.
JUDGED = 250_000


def choose(path: Path, size: int) -> np.ndarray:
    """The numbers of at most `size` rows, ascending."""
    chosen = np.empty(0, dtype="int64")
    for part in tables.parts(path):
        both = pd.Series(np.concatenate([chosen, tables.read(part, ["row"])["row"].to_numpy()]))
        chosen = both.iloc[rows.sample(both, size)].to_numpy()
    return np.sort(chosen)


def judged(path: Path) -> pd.DataFrame:
    """The rows of a test split that a model is judged on."""
    return tables.read(path, numbers=choose(path, JUDGED))
