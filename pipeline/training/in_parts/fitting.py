"""Train one family on a training table in parts: the same search as in memory, by passes over the parts."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.contract.description import Training
from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Train
from pipeline.training import families, preprocessing, search
from pipeline.training.cross_validation import Hyperparameters
from pipeline.training.in_parts import column_statistics, out_of_fold
from pipeline.training.in_parts.learner import TrainingParts
from pipeline.training.search import FitRecord


class Fitted(NamedTuple):
    """The pipeline and its record, whose out-of-fold predictions are those of `sample`, a sample of the training rows;
    `training` describes all of them."""

    pipeline: Pipeline
    record: FitRecord
    sample: pd.DataFrame
    training: Training


def fit(parts: TrainingParts, params: Train, family: str, sha256: str, folder: Path) -> Fitted:
    """Return the family's best pipeline, fitted to all training rows (together of that sha256) as by
    `stages.train.fit`; write the out-of-fold predictions to a new `folder`, a file a part.

    Raises PipelineError for an unknown family or setting, and for a family that needs the rows in memory.
    """
    kind, columns = families.get(family), parts.schema.features
    if kind.in_parts is None:
        able = ", ".join(name for name, each in families.FAMILIES.items() if each.in_parts)
        raise PipelineError(
            f"{family} needs all training rows in memory: raise engine.in_memory_rows above their number, "
            f"or take it out of train.families in params.yaml; in parts there are {able}"
        )
    statistics = column_statistics.gather(parts.run, parts.files, parts.schema)
    make = partial(families.numeric_pipeline, parts.schema, family, params.seed, device=params.device)
    parts.run.map(families.check_device, [make({})[-1].regressor], "train: device")
    learner = kind.in_parts(family, parts, statistics, make)
    splits, kept = range(len(statistics.splits)), {}

    def squared_errors(each: list[Hyperparameters], indicators: tuple[int, ...]) -> list[float]:
        models = [learner.fit(each, indicators, number) for number in splits]
        if len(each) == 1:  # the winner is mostly the last one tried alone
            kept[repr((each[0], indicators))] = [fitted for (fitted,) in models]
        return out_of_fold.squared_errors(parts, statistics.splits, models)

    with_missing = search.indicator_positions(statistics.missing > 0, parts.schema)
    chosen = search.choose(family, params, statistics.rows, with_missing, squared_errors)
    settings, indicators, tried, diverged = chosen
    models = kept.get(repr((settings, indicators))) or [learner.fit([settings], indicators, n)[0] for n in splits]
    (model,) = learner.fit([settings], indicators, len(splits))
    cv_rmse, cv_rmse_se, target_std, sample = out_of_fold.hold_out(parts, statistics, models, folder)
    predictions = sample["prediction"].to_numpy(float)
    record = FitRecord(family, settings, cv_rmse, cv_rmse_se, predictions, tried, indicators, diverged)
    training = Training(statistics.rows, sha256, statistics.target_median, target_std, cv_rmse)
    return Fitted(preprocessing.from_table(model, columns), record, sample, training)
