"""The selection of the model: one of the trained families, or a blend of them; by cross-validation alone."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.contract.errors import PipelineError
from pipeline.training import blend, conformal
from pipeline.training.conformal import HalfWidth
from pipeline.training.cross_validation import Split, rmse

BLEND = "blend"  # the family of a blend

Metrics = dict[str, dict[str, Any]]


class Selection(NamedTuple):
    """The weight of each family in the model; its cross-validated RMSE and the standard error of that; its out-of-fold
    predictions [rows] for the training sample; and the half-width of a blend, None for a single family."""

    weights: dict[str, float]
    cv_rmse: float
    cv_rmse_se: float
    out_of_fold: np.ndarray
    half: HalfWidth | None = None

    @property
    def family(self) -> str:
        return BLEND if self.half else next(iter(self.weights))


def pick(metrics: Metrics, rule: str) -> str:
    """Return the family with the lowest `cv_rmse`, or with `one_se` the first within one standard error of it.

    params.yaml lists families from simple to complex. The one-standard-error rule is from Breiman, Friedman, Olshen and
    Stone (1984), Classification and Regression Trees, section 3.4.3. Raises PipelineError where there is no family.
    """
    if not metrics:
        raise PipelineError("params.yaml: train.families is empty, or all are skipped: name one that can be trained")
    best = min(metrics, key=lambda family: metrics[family]["cv_rmse"])
    bound = metrics[best]["cv_rmse"] + metrics[best]["cv_rmse_se"]
    return next(family for family in metrics if metrics[family]["cv_rmse"] <= bound) if rule == "one_se" else best


def choose(
    metrics: Metrics, rule: str, out_of_fold: pd.DataFrame, target: np.ndarray, splits: list[Split], level: float
) -> Selection:
    """Return the family that `pick` returns; with the rule `blend` a blend of all, where its RMSE is lower.

    `out_of_fold` [rows, families] and `target` [rows]: of the training sample; `splits`: its folds; `level`: of the
    interval.
    """
    family = pick(metrics, rule)
    alone = out_of_fold[family].to_numpy()
    single = Selection({family: 1.0}, metrics[family]["cv_rmse"], metrics[family]["cv_rmse_se"], alone)
    if rule != "blend":
        return single
    weights, predictions, disagreement = blend.fit(out_of_fold.to_numpy(), target, splits)
    residuals = target - predictions
    held = ~np.isnan(residuals)
    cv_rmse, error = rmse(np.square(residuals[held]))
    members = {name: weight for name, weight in zip(out_of_fold, weights.tolist(), strict=True) if weight}
    if len(members) == 1 or cv_rmse >= rmse(np.square(target[held] - alone[held]))[0]:
        return single
    half = conformal.better(predictions, residuals, disagreement, level, splits)
    return Selection(members, cv_rmse, error, predictions, half)
