"""The check for a GPU. XGBoost asked for a GPU that is not there computes on the CPU, with no more than a warning."""

import json
import warnings
from typing import Any

import numpy as np

from pipeline.contract.errors import PipelineError


def check(model: Any) -> None:
    """Raise PipelineError where the model (unfitted) asks for a GPU and this machine has none.

    Models without a `device` parameter pass.
    """
    device = model.get_params().get("device") or "cpu"
    if device == "cpu":
        return
    from xgboost import XGBRegressor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tiny = XGBRegressor(device=device, n_estimators=1).fit(np.array([[0.0], [1.0]]), np.array([0.0, 1.0]))
    used = json.loads(tiny.get_booster().save_config())["learner"]["generic_param"]["device"]
    if not used.startswith(device):
        raise PipelineError(
            f"params.yaml: train.device is {device}, but xgboost finds no GPU here: set it to cpu, or run on a machine "
            "with an NVIDIA GPU and its driver"
        )
