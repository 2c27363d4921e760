"""Train one family on a training table in parts: the same search as in memory, by passes over the parts."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import Training
from pipeline.contract.params import Train
from pipeline.contract.schema import Schema
from pipeline.distributed.executor import Executor
from pipeline.training import cross_validation, device, families, preprocessing, search
from pipeline.training.cross_validation import Hyperparameters
from pipeline.training.in_parts import column_statistics, out_of_fold
from pipeline.training.in_parts.boosting import Boosting
from pipeline.training.in_parts.column_statistics import TableStatistics
from pipeline.training.in_parts.linear import Linear
from pipeline.training.search import FitRecord

Make = Callable[[Hyperparameters, tuple[int, ...]], Pipeline]


class Learner(Protocol):
    """A family's way to fit a table in parts."""

    def __init__(
        self, run: Executor, parts: list[Path], schema: Schema, statistics: TableStatistics, make: Make
    ) -> None:
        """`make(settings, indicators)` makes an unfitted numeric pipeline."""

    def fit(self, tried: list[Hyperparameters], indicators: tuple[int, ...], number: int) -> list[Pipeline]:
        """Fit a numeric pipeline with each of the settings to the rows that split `number` trains on; the number after
        the last split stands for all rows."""


IN_PARTS: dict[str, type[Learner]] = {"linear": Linear, "ridge": Linear, "xgboost": Boosting}


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
    """Return the family's best pipeline, fitted to all training rows of `parts` (together of that sha256) as by
    `stages.train.fit`; write the out-of-fold predictions to a new `folder`, a file a part.

    Raises PipelineError for an unknown family or setting, and for a family that needs the rows in memory.
    """
    kind, grid = families.get(family), params.families[family]
    if family not in IN_PARTS:
        able = ", ".join(IN_PARTS)
        raise PipelineError(
            f"{family} needs all training rows in memory: raise engine.in_memory_rows above their number, "
            f"or take it out of train.families in params.yaml; in parts there are {able}"
        )
    statistics = column_statistics.gather(run, parts, schema)
    make = partial(families.numeric_pipeline, schema.features, family, params.seed, device=params.device)
    run.map(device.check, [make({})[-1]], "train: device")
    tried = search.combinations(kind.limit(grid, statistics.rows, params.max_leaves))
    # A fit to two blank rows names settings that a model refuses, before the workers read anything.
    blank = np.zeros((2, len(schema.features)))
    for settings in tried:
        with cross_validation.named_refusal(family, settings):
            make(settings).fit(blank, np.zeros(2))
    learner = IN_PARTS[family](run, parts, schema, statistics, make)
    splits, kept = range(len(statistics.splits)), {}

    def squared_errors(each: list[Hyperparameters], indicators: tuple[int, ...]) -> list[float]:
        models = [learner.fit(each, indicators, number) for number in splits]
        if len(each) == 1:  # the winner is mostly the last one tried alone
            kept[repr((each[0], indicators))] = [fitted for (fitted,) in models]
        return out_of_fold.squared_errors(run, parts, schema, statistics.splits, models)

    with_missing = tuple(np.flatnonzero(statistics.missing).tolist())
    settings, indicators, diverged = search.choose(family, squared_errors, tried, kind.refine, with_missing)
    models = kept.get(repr((settings, indicators))) or [learner.fit([settings], indicators, n)[0] for n in splits]
    (model,) = learner.fit([settings], indicators, len(splits))
    errors = out_of_fold.hold_out(run, parts, schema, statistics, models, folder)
    pipeline = Pipeline([("matrix", preprocessing.ToMatrix(schema.features).fit(errors.sample)), *model.steps])
    predictions = errors.sample["prediction"].to_numpy(float)
    figures = (errors.cv_rmse, errors.cv_rmse_se, predictions, len(tried))
    record = FitRecord(family, settings, *figures, indicators, diverged)
    training = Training(statistics.rows, sha256, statistics.target_median, errors.target_std, record.cv_rmse)
    return Fitted(pipeline, record, errors.sample, training)
