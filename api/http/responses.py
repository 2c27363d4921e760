"""The responses as typed structures; the JSON and the OpenAPI document are made from them."""

from typing import Any

import msgspec

from pipeline.contract.description import Interval, Member, Training
from pipeline.contract.schema import Schema


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """The answer to one row: `prediction`, `lower` and `upper` in the target's unit, the md5 of the `model` file, and
    the `imputed` features, which were missing and got the value that training learned."""

    prediction: float
    lower: float
    upper: float
    id: str
    model: str
    imputed: list[str]


class Feedback(msgspec.Struct, frozen=True):
    """The noted actual value; `id` is the server's own. `changed` is false if this value was known; `previous` is the
    value that it corrects."""

    id: str
    actual: float
    changed: bool
    previous: float | None


class Health(msgspec.Struct, frozen=True):
    """The state of the process. `ready`: a verified model is loaded, the last write to the prediction log, if it is
    required, succeeded, and the server does not stop. `artifacts`: the model files, first choice first, and whether
    each was there a second ago."""

    status: str
    ready: bool
    artifacts: dict[str, bool]


class Ready(msgspec.Struct, frozen=True):
    status: str
    model: str


class Metadata(msgspec.Struct, frozen=True):
    """The served model. `unpromoted`: why it does not count as promoted, null if it does. `members` are the models of
    its prediction with their weights (none in format 1); a blend has no `settings` of its own. `version` and `revision`
    (a git commit) are what promote noted, `md5` is of the file, `training` has the sha256 of the training table and the
    cross-validated RMSE in the target's unit."""

    family: str
    promoted: bool
    unpromoted: str | None
    path: str
    md5: str
    version: str | None
    revision: str | None
    settings: dict[str, Any]
    members: tuple[Member, ...]
    interval: Interval
    imputed: dict[str, float]
    training: Training
    schema: Schema
