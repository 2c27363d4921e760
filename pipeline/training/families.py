"""The model families. A new family is one entry in FAMILIES and its grid in params.yaml."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sklearn.base import RegressorMixin
from sklearn.pipeline import Pipeline

from pipeline.contract.errors import PipelineError
from pipeline.contract.schema import Column
from pipeline.contract.yaml_config import nearest
from pipeline.training import shared_trees
from pipeline.training.preprocessing import prepare


def _unbounded(grid: shared_trees.Grid, n_rows: int, max_leaves: int) -> shared_trees.Grid:
    return grid


class Family(NamedTuple):
    """`model(seed)` makes the estimator. `scale`: only for models that need it, for trees behind a scaler differ
    in float32 from trees before it (rows near a threshold switch sides). `sharing` saves fits, `bounded(grid, rows,
    max_leaves)` keeps models that grow with the rows servable; `also`: settings that the best of the grid is tried with
    once more, where it does not name them. Most families need none of these. `by_parts()` gives the class
    (pipeline.training.in_parts.fitting.Learner) that fits a table too large for memory; without it the rows must fit there."""

    model: Callable[[int], RegressorMixin]
    scale: bool
    sharing: shared_trees.Sharing | None = None
    bounded: Callable[[shared_trees.Grid, int, int], shared_trees.Grid] = _unbounded
    also: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it


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
    "linear": Family(_linear, scale=True),
    "ridge": Family(_ridge, scale=True),
    "random_forest": Family(
        _random_forest,
        scale=False,
        sharing=shared_trees.Sharing(frozenset({"n_estimators", "max_depth"}), shared_trees.forest),
        bounded=shared_trees.bounded,
    ),
    "xgboost": Family(
        _xgboost,
        scale=False,
        sharing=shared_trees.Sharing(frozenset({"n_estimators"}), shared_trees.boosting),
        also={"max_bin": 256},
    ),
    "xgboost_forest": Family(_xgboost_forest, scale=False),
}


def get(name: str) -> Family:
    """The family of that name.

    Raises PipelineError naming the known ones.
    """
    if name not in FAMILIES:
        raise PipelineError(
            f"params.yaml: train.families: unknown family {name!r}{nearest(name, FAMILIES)}; "
            f"known: {', '.join(FAMILIES)}; add it to FAMILIES in pipeline/training/families.py"
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
    """Unfitted; from the float matrix of `pipeline.tables.feature_matrix` to a prediction. This is the part that becomes ONNX.

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
