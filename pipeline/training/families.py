"""The model families. A new family is one entry in FAMILIES and its grid in params.yaml."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sklearn.base import RegressorMixin
from sklearn.pipeline import Pipeline

from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Grid
from pipeline.contract.schema import Column
from pipeline.contract.yaml_config import nearest
from pipeline.training import shared_trees
from pipeline.training.preprocessing import prepare
from pipeline.training.shared_trees import Sharing


class Family(NamedTuple):
    """A kind of model. The first two fields are all that most families need.

    `model(seed)` makes the unfitted estimator.
    `scale`: standardise the features. Trees must not have it: behind a scaler their thresholds differ in float32.
    `sharing`: settings that the search need not fit one by one.
    `limit(grid, rows, max_leaves)` bounds models that grow with the rows.
    `refine`: settings that the search tries once more with the best of the grid, unless the grid names them.
    """

    model: Callable[[int], RegressorMixin]
    scale: bool
    sharing: Sharing = shared_trees.NO_SHARING
    limit: Callable[[Grid, int, int], Grid] = lambda grid, rows, max_leaves: grid
    refine: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it


# The imports are inside the functions, so that training one family does not load the libraries of the others.


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

    # One thread: the search runs fits side by side. 64 bins take 0.6 of the time of 256 on a small table, and cost
    # accuracy only where a feature has a heavy tail; hence `refine` (docs/decisions/0013-bins.md).
    return XGBRegressor(random_state=seed, n_jobs=1, max_bin=64)


FAMILIES = {
    "linear": Family(_linear, scale=True),
    "ridge": Family(_ridge, scale=True),
    "random_forest": Family(_random_forest, scale=False, sharing=shared_trees.FOREST, limit=shared_trees.limit_leaves),
    "xgboost": Family(_xgboost, scale=False, sharing=shared_trees.ROUNDS, refine={"max_bin": 256}),
}


def get(name: str) -> Family:
    """The family of that name.

    Raises PipelineError that lists the known families.
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
    """The unfitted pipeline from a feature matrix to a prediction: what becomes the ONNX graph.

    `settings`: the model's hyperparameters. `indicators`: positions of the columns that get a missing indicator.
    `device`: cpu or cuda; models that cannot use a GPU ignore it.
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
