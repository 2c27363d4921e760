"""The responses as typed structures; the JSON and the OpenAPI document are made from them."""

from typing import Any

import msgspec

from pipeline.contract.onnx_model import Interval, Training
from pipeline.contract.schema import Schema


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """`prediction`, `lower` and `upper` are in the target's unit, `model` is the md5 of the model file, `imputed`
    names the features that were missing and got the value that training learned for them."""

    prediction: float
    lower: float
    upper: float
    id: str
    model: str
    imputed: list[str]


class Feedback(msgspec.Struct, frozen=True):
    """`id` is the server's own. `changed` is false where this value was known already; `previous` is the value that it
    corrects."""

    id: str
    actual: float
    changed: bool
    previous: float | None


class Health(msgspec.Struct, frozen=True):
    """`ready`: whether a verified model is loaded and the last try to write the prediction log, where it is required,
    went well. `artifacts`: the model files in the order in which they are taken, and whether each is there."""

    status: str
    ready: bool
    artifacts: dict[str, bool]


class Ready(msgspec.Struct, frozen=True):
    status: str
    model: str


class Metadata(msgspec.Struct, frozen=True):
    """The served model. `version` and `revision` (a git commit) are what promote noted, `md5` is of the model file,
    `training` has the sha256 of the training table and the cross-validated RMSE in the target's unit."""

    family: str
    promoted: bool
    path: str
    md5: str
    version: str | None
    revision: str | None
    settings: dict[str, Any]
    interval: Interval
    imputed: dict[str, float]
    training: Training
    schema: Schema
