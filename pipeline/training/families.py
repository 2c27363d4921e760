"""The model families. A new family is one entry in FAMILIES and its grid in params.yaml."""

import json
import pkgutil
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Grid
from pipeline.contract.schema import Schema
from pipeline.contract.yaml_config import nearest
from pipeline.training import shared_trees
from pipeline.training.in_parts.boosting import Boosting
from pipeline.training.in_parts.learner import Learner
from pipeline.training.in_parts.linear import Linear
from pipeline.training.in_parts.sampled import Sampled
from pipeline.training.preprocessing import Inputs, prepare
from pipeline.training.shared_trees import Sharing
from pipeline.training.target import on_range


class Family(NamedTuple):
    """A kind of model. The first two fields are all that most families need.

    `model`: the estimator's "module:class", imported at its first use: xgboost alone takes longer than a linear fit.
    `inputs`: how the features are prepared, and in which precision the served model computes (`preprocessing.Inputs`).
    `settings`: of the estimator, where they differ from its defaults; a grid may name them too.
    `sharing`: settings that the search need not fit one by one.
    `rungs`: numbers of trees with which settings compete before they do with all.
    `finalists`: of the settings that competed on a sample, how many compete on all rows.
    `bounds(grid, rows, max_leaves, search_rows)`: settings to add, for models that grow with the rows.
    `in_parts` fits tables beyond memory; None where the family needs its rows in memory.
    """

    model: str
    inputs: Inputs
    settings: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it
    sharing: Sharing = shared_trees.NO_SHARING
    rungs: tuple[int, ...] = ()
    finalists: int = 1
    bounds: Callable[[Grid, int, int, int], dict[str, Any]] = lambda grid, rows, max_leaves, search_rows: {}
    in_parts: type[Learner] | None = None

    @property
    def is_forest(self) -> bool:
        return self.sharing is shared_trees.FOREST


FAMILIES = {
    "linear": Family("pipeline.training.linear_models:LinearRegression", inputs="scaled", in_parts=Linear),
    "ridge": Family("pipeline.training.linear_models:Ridge", inputs="scaled", in_parts=Linear),
    "random_forest": Family(
        "sklearn.ensemble:RandomForestRegressor",
        inputs="trees",
        sharing=shared_trees.FOREST,
        rungs=(50,),
        bounds=shared_trees.bound_forest,
    ),
    "xgboost": Family(
        "xgboost:XGBRegressor",
        inputs="trees",
        settings={"n_jobs": 1},  # the search runs fits side by side
        sharing=shared_trees.ROUNDS,
        rungs=(100, 300),
        finalists=3,
        in_parts=Boosting,
    ),
    "gaussian_process": Family(
        "pipeline.training.gaussian_process:GaussianProcess",
        inputs="normal",
        finalists=2,  # to tell whether to take the logarithm of the target
        in_parts=Sampled,
    ),
}


def get(name: str) -> Family:
    """Return the family of that name.

    Raises PipelineError that lists the known families.
    """
    if name not in FAMILIES:
        raise PipelineError(
            f"params.yaml: train.families: unknown family {name!r}{nearest(name, FAMILIES)}; "
            f"known: {', '.join(FAMILIES)}; add it to FAMILIES in pipeline/training/families.py"
        )
    return FAMILIES[name]


def numeric_pipeline(
    schema: Schema,
    family: str,
    seed: int,
    settings: dict[str, Any],
    indicators: tuple[int, ...] = (),
    device: str = "cpu",
) -> Pipeline:
    """Return the unfitted pipeline from a feature matrix to a prediction: what becomes the ONNX graph.

    `settings`: the model's hyperparameters. `indicators`: positions of the columns that get a missing indicator.
    `device`: cpu or cuda; models that cannot use a GPU ignore it.
    Raises PipelineError for a setting that the model does not have.
    """
    kind = get(family)
    model = pkgutil.resolve_name(kind.model)(**kind.settings)
    known = model.get_params()
    if unknown := [name for name in settings if name not in known]:
        raise PipelineError(
            f"params.yaml: train.families.{family}: unknown setting {unknown[0]!r}{nearest(unknown[0], known)}; "
            f"it must be a parameter of {type(model).__name__}"
        )
    ours = {name: value for name, value in (("random_state", seed), ("device", device)) if name in known}
    model.set_params(**{**ours, **settings})
    preparation = prepare(schema.features, kind.inputs, indicators)
    return Pipeline([("prepare", preparation), ("model", on_range(model, schema.target, kind.inputs == "trees"))])


def check_device(model: Any) -> None:
    """Raise PipelineError where an unfitted model of xgboost asks for a GPU and this machine has none.

    XGBoost itself would compute on the CPU, with no more than a warning.
    """
    device = model.get_params().get("device", "cpu")
    if device == "cpu":
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tiny = clone(model).set_params(n_estimators=1).fit(np.array([[0.0], [1.0]]), np.array([0.0, 1.0]))
    used = json.loads(tiny.get_booster().save_config())["learner"]["generic_param"]["device"]
    if not used.startswith(device):
        raise PipelineError(
            f"params.yaml: train.device is {device}, but xgboost finds no GPU here: set it to cpu, or run on a machine "
            "with an NVIDIA GPU and its driver"
        )
