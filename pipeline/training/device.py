"""Whether the device that params.yaml asks for is there: xgboost itself takes the CPU with no more than a warning."""

import json
import warnings

import numpy as np

from pipeline.contract.errors import PipelineError


def check(device: str) -> None:
    """Raises PipelineError where `device` is cuda and xgboost finds no GPU on this machine."""
    if device == "cpu":
        return
    from xgboost import XGBRegressor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tried = XGBRegressor(device=device, n_estimators=1).fit(np.array([[0.0], [1.0]]), np.array([0.0, 1.0]))
    found = json.loads(tried.get_booster().save_config())["learner"]["generic_param"]["device"]
    if not found.startswith(device):
        raise PipelineError(
            f"params.yaml: train.device is {device}, but xgboost finds no GPU here: set it to cpu, or run on a machine "
            "with an NVIDIA GPU and its driver"
        )
