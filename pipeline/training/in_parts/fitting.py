"""Train one family on a training table in parts: settings compete on a sample in memory, the winner learns in parts."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.contract.description import Training
from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Train
from pipeline.tables import digits, parquet, sampling
from pipeline.training import families, preprocessing, search
from pipeline.training.cross_validation import Rows
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


class NeedsAllRowsError(PipelineError):
    """A family that needs the rows in memory, and there are too many of them."""


def fit(parts: TrainingParts, params: Train, family: str, sha256: str, folder: Path) -> Fitted:
    """Return the family's best pipeline, fitted to all training rows (together of that sha256) as by
    `stages.train.fit`; write the out-of-fold predictions to a new `folder`, a file a part.

    Raises PipelineError for an unknown family or setting, and NeedsAllRowsError for a family that has no way in parts.
    """
    kind, columns = families.get(family), parts.schema.features
    if kind.in_parts is None:
        able = ", ".join(name for name, each in families.FAMILIES.items() if each.in_parts)
        raise NeedsAllRowsError(
            f"{family} needs all training rows in memory: raise engine.in_memory_rows above their number, "
            f"or take it out of train.families in params.yaml; in parts there are {able}"
        )
    statistics = column_statistics.gather(parts.run, parts.files, parts.schema)
    make = partial(families.numeric_pipeline, parts.schema, family, params.seed, device=params.device)
    parts.run.map(families.check_device, [make({})[-1].regressor], "train: device")
    table = parts.files[0].parent
    sample = parquet.read(table, numbers=sampling.sample_numbers(table, params.search_rows))
    record = search.search(Rows.of(sample, parts.schema), None, parts.schema, params, family, parts.run)
    learner = kind.in_parts(family, parts, statistics, make)
    *models, model = [learner.fit(record.settings, record.indicators, n) for n in range(len(statistics.splits) + 1)]
    cv_rmse, cv_rmse_se, sample = out_of_fold.hold_out(parts, statistics, models, folder)
    target_std = digits.significant(statistics.target_std)
    predictions = sample["prediction"].to_numpy(float)
    record = record._replace(cv_rmse=cv_rmse, cv_rmse_se=cv_rmse_se, out_of_fold=predictions)
    training = Training(statistics.rows, sha256, statistics.target_median, target_std, cv_rmse)
    return Fitted(preprocessing.from_table(model, columns), record, sample, training)
