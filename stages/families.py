"""The model families. A new family is one entry in FAMILIES and its grid in params.yaml."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.pipeline import Pipeline

from stages.config import nearest
from stages.errors import PipelineError
from stages.schema import Column
from stages.training import ensembles
from stages.training.preparation import prepare


class Sharing(NamedTuple):
    """Settings whose values (whole numbers, or None) need no fit of their own. `predict(models, matrix, target, held)`
    gives the predictions [models, rows of `held`] of unfitted models that differ in these settings alone."""

    settings: frozenset[str]
    predict: Callable[[list[Any], np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _by_sums() -> Any:
    from stages.training.by_sums import BySums

    return BySums


def _by_xgboost() -> Any:
    from stages.training.by_xgboost import ByXgboost

    return ByXgboost


def _unbounded(grid: ensembles.Grid, n_rows: int, max_leaves: int) -> ensembles.Grid:
    return grid


class Family(NamedTuple):
    """`model(seed)` makes the estimator. `scale`: only for models that need it, for trees behind a scaler differ
    in float32 from trees before it (rows near a threshold switch sides). `sharing` saves fits, `bounded(grid, rows,
    max_leaves)` keeps models that grow with the rows servable; `also`: settings that the best of the grid is tried with
    once more, where it does not name them. Most families need none of these. `by_parts()` gives the class
    (stages.training.by_parts.Learner) that fits a table too large for memory; without it the rows must fit there."""

    model: Callable[[int], RegressorMixin]
    scale: bool
    sharing: Sharing | None = None
    bounded: Callable[[ensembles.Grid, int, int], ensembles.Grid] = _unbounded
    also: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it
    by_parts: Callable[[], Any] | None = None


# Imports are inside, so that training one family does not pay for the libraries of the others.


def _linear(seed: int) -> RegressorMixin:
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def _ridge(seed: int) -> RegressorMixin:
    from sklearn.linear_model import Ridge

    return Ridge()


def _random_forest(seed: int) -> RegressorMixin:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(random_state=seed)


def _xgboost(seed: int) -> RegressorMixin:
    from xgboost import XGBRegressor

    # One thread a fit: the search runs the fits side by side. On small tables most of XGBoost's time goes into empty
    # bins: with 64 in place of 256 the shipped search takes 0.6 of the time, at an RMSE that is no higher. Not so where
    # a feature has a heavy tail, hence `also` (docs/decisions/0013).
    return XGBRegressor(random_state=seed, n_jobs=1, max_bin=64)


def _xgboost_forest(seed: int) -> RegressorMixin:
    from xgboost import XGBRFRegressor

    # 256 bins, for a forest has no later rounds that make up for what coarse ones miss.
    return XGBRFRegressor(random_state=seed, n_jobs=1)


FAMILIES = {
    "linear": Family(_linear, scale=True, by_parts=_by_sums),
    "ridge": Family(_ridge, scale=True, by_parts=_by_sums),
    "random_forest": Family(
        _random_forest,
        scale=False,
        sharing=Sharing(frozenset({"n_estimators", "max_depth"}), ensembles.forest),
        bounded=ensembles.bounded,
    ),
    "xgboost": Family(
        _xgboost,
        scale=False,
        sharing=Sharing(frozenset({"n_estimators"}), ensembles.boosting),
        also={"max_bin": 256},
        by_parts=_by_xgboost,
    ),
    "xgboost_forest": Family(_xgboost_forest, scale=False, by_parts=_by_xgboost),
}


def get(name: str) -> Family:
    """The family of that name.

    Raises PipelineError naming the known ones.
    """
    if name not in FAMILIES:
        raise PipelineError(
            f"params.yaml: train.families: unknown family {name!r}{nearest(name, FAMILIES)}; "
            f"known: {', '.join(FAMILIES)}; add it to FAMILIES in stages/families.py"
        )
    return FAMILIES[name]


def numeric_pipeline(
    columns: tuple[Column, ...],
    family: str,
    seed: int,
    settings: dict[str, Any],
    indicators: tuple[int, ...] = (),
    device: str = "cpu",
) -> Pipeline:
    """Unfitted; from the float matrix of `stages.matrix` to a prediction. This is the part that becomes ONNX.

    `indicators`: places of the columns whose missing values get a column of their own. `device`: cpu or cuda, for
    models that can use either.
    Raises PipelineError for a setting that the model does not have.
    """
    kind = get(family)
    model = kind.model(seed)
    if device != "cpu" and "device" in model.get_params():
        model.set_params(device=device)
    if unknown := [name for name in settings if name not in model.get_params()]:
        raise PipelineError(
            f"params.yaml: train.families.{family}: unknown setting {unknown[0]!r}"
            f"{nearest(unknown[0], model.get_params())}; it must be a parameter of {type(model).__name__}"
        )
    return Pipeline([("prepare", prepare(columns, kind.scale, indicators)), ("model", model.set_params(**settings))])
