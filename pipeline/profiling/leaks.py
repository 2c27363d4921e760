"""Remarks on features that give the target away: one that nearly is the target, or several that make it up."""

import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.linear_model import OrthogonalMatchingPursuit

from pipeline.contract.schema import Schema
from pipeline.profiling.remarks import Remark

# From this correlation on, a feature is more likely the target in other words than a cause of it.
LEAK = 0.999
# Numeric features that explain this share of the target's variance are its parts.
REPRODUCED = 0.9999
# Fewer rows may correlate by chance; a linear model needs as many for each feature too.
ENOUGH = 10
# Rows that the linear model is fitted to, at most: bounds time.
ROWS = 10_000


def leaks(table: pd.DataFrame, inferred: Schema) -> Iterator[Remark]:
    """Yield remarks on the numeric features of a typed table that reproduce the target, alone or together."""
    names = [column.name for column in inferred.features if column.dtype not in ("category", "datetime")]
    numbers = table[[*names, inferred.target.name]].astype("Float64").astype(float)
    alone = []
    for name in names:
        # NaN for too few rows, for a constant, and where a sum overflows.
        with np.errstate(all="ignore"):
            r = numbers[name].corr(numbers[inferred.target.name], min_periods=ENOUGH)
        if abs(r) >= LEAK:
            alone.append(name)
            topic = "nearly the target itself (correlation); if it is not known when predicting, give it role ignore"
            yield Remark(topic, name, f"{r:.4f}")
    if parts := parts_of_target(numbers.drop(columns=alone), inferred.target.name):
        topic = "together they make up the target (a linear model of them); are they known when predicting? If not, "
        yield Remark(f"{topic}give them role ignore", " + ".join(parts), f"R² at least {REPRODUCED}")


def parts_of_target(numbers: pd.DataFrame, target: str) -> list[str]:
    """Return few columns whose linear model explains REPRODUCED of the target's variance, in the order of the table;
    empty where all of them do not. Columns that are mostly missing are left out, and rows with a missing value."""
    numbers = numbers.loc[:, numbers.notna().mean() >= 0.5].dropna().head(ROWS)
    with np.errstate(all="ignore"):
        scaled = ((numbers - numbers.mean()) / numbers.std()).dropna(axis="columns").replace([np.inf, -np.inf], np.nan)
    scaled = scaled.dropna(axis="columns")
    names = [name for name in scaled if name != target]
    if target not in scaled or not names or len(scaled) < len(names) + 2 * ENOUGH:
        return []
    # R of a QR decomposition has the inner products of all columns, in as many rows as there are columns.
    triangle = np.asarray(np.linalg.qr(scaled[[*names, target]].to_numpy(), mode="r"))
    columns, y = pd.DataFrame(triangle[:, :-1], columns=names), triangle[:, -1]
    if _explained(columns, y) < REPRODUCED:
        return []
    model = OrthogonalMatchingPursuit(tol=(1 - REPRODUCED) * float(y @ y), fit_intercept=False)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # it stops where columns depend on others
        weights = np.atleast_1d(model.fit(columns, y).coef_)
    found = [name for name, weight in zip(names, weights, strict=True) if weight]
    if not found or _explained(columns[found], y) < REPRODUCED:
        found = names
    for name in reversed(found):  # what was taken early may not be needed any more
        others = [other for other in found if other != name]
        if others and _explained(columns[others], y) >= REPRODUCED:
            found = others
    return found


def _explained(columns: pd.DataFrame, y: np.ndarray) -> float:
    """Return R² of the least-squares fit of `y` [rows] by the columns [rows, columns]; all have mean 0."""
    weights = np.linalg.lstsq(columns.to_numpy(), y, rcond=None)[0]
    return 1.0 - float(np.square(y - columns.to_numpy() @ weights).sum() / np.square(y).sum())
