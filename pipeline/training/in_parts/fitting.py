"""Train one family on a training table in parts: the same search as in memory, a pass over the parts a question."""

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import Training
from pipeline.contract.params import Train
from pipeline.contract.schema import Schema
from pipeline.distributed.executor import Executor
from pipeline.training import cross_validation, device, families, preprocessing, search
from pipeline.training.in_parts import column_statistics
from pipeline.training.in_parts.out_of_fold import hold_out
from pipeline.training.search import FitRecord

Settings = dict[str, Any]

# The families that fit a table in parts, and by what: sums of products, or xgboost on all workers together.
IN_PARTS = {"linear": "moments", "ridge": "moments", "xgboost": "boosting"}


class Learner(Protocol):
    """How a family fits a table in parts; made of the engine, the facts and `make(settings, indicators)`, which gives
    an unfitted numeric pipeline."""

    def squared_errors(self, tried: list[Settings], indicators: tuple[int, ...]) -> list[float]:
        """Of each settings the sum of the squared errors over all held rows."""

    def fits(self, settings: Settings, indicators: tuple[int, ...]) -> list[Pipeline]:
        """Fitted numeric pipelines: one of each split, and last the one of all rows."""

    def close(self) -> None:
        """Leave nothing on the workers."""


class Fitted(NamedTuple):
    """The pipeline and its record, whose out-of-fold predictions are those of `sample`, a sample of the training rows;
    `training` describes all of them."""

    pipeline: Pipeline
    record: FitRecord
    sample: pd.DataFrame
    training: Training


def fit(
    run: Executor, parts: list[Path], schema: Schema, params: Train, family: str, sha256: str, folder: Path
) -> Fitted:
    """The family's best pipeline, fitted to all training rows of `parts` (together of that sha256), as by
    `stages.train.fit`; writes the out-of-fold predictions to a new `folder`, a file a part.

    Raises PipelineError for an unknown family or setting, and for a family that needs the rows in memory.
    """
    kind, grid = families.get(family), params.families[family]
    if family not in IN_PARTS:
        able = ", ".join(IN_PARTS)
        raise PipelineError(
            f"{family} needs all training rows in memory: raise engine.in_memory_rows above their number, "
            f"or take it out of train.families in params.yaml; in parts there are {able}"
        )
    known = column_statistics.gather(run, parts, schema)
    make = partial(families.numeric_pipeline, schema.features, family, params.seed, device=params.device)
    run.map(device.check, [make({})[-1]], "train: device")
    tried = search.combinations(kind.limit(grid, known.rows, params.max_leaves))
    # On two rows of nothing: a setting that a model refuses is named before the workers read anything.
    blank = np.zeros((2, len(schema.features)))
    for settings in tried:
        with cross_validation.named_refusal(family, settings):
            make(settings).fit(blank, np.zeros(2))
    missing = tuple(np.flatnonzero(known.missing).tolist())
    learner: Learner = _learner(IN_PARTS[family])(run, known, make)
    with closing(learner):
        settings, indicators, diverged = search.choose(family, learner.squared_errors, tried, kind.refine, missing)
        *models, model = learner.fits(settings, indicators)
    errors = hold_out(run, known, models, folder)
    pipeline = Pipeline([("matrix", preprocessing.ToMatrix(schema.features).fit(errors.sample)), *model.steps])
    predictions = errors.sample["prediction"].to_numpy(float)
    figures = (errors.cv_rmse, errors.cv_rmse_se, predictions, len(tried))
    record = FitRecord(family, settings, *figures, indicators, diverged)
    training = Training(known.rows, sha256, known.target_median, errors.target_std, record.cv_rmse)
    return Fitted(pipeline, record, errors.sample, training)


def _learner(name: str) -> Any:
    # Imported here, so that a linear fit does not wait for xgboost's import.
    if name == "moments":
        from pipeline.training.in_parts.linear import BySums

        return BySums
    from pipeline.training.in_parts.boosting import ByXgboost

    return ByXgboost
