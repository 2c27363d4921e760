"""Families that keep a bounded number of rows: of a training table in parts they take a sample."""

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.tables import sampling
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training.cross_validation import Hyperparameters
from pipeline.training.in_parts.column_statistics import training_folds
from pipeline.training.in_parts.learner import Learner, PartRows


class Sampled(Learner):
    """Pipelines whose model has the setting `max_rows`: each learns from that many rows, in this process."""

    def fit(self, settings: Hyperparameters, indicators: tuple[int, ...], number: int) -> Pipeline:
        pipeline = self.set_up(settings, indicators)
        size, schema = pipeline[-1].regressor.max_rows, self.parts.schema
        folds = training_folds(self.statistics.splits)[number]
        table = pd.concat(self.parts.map(_smallest, "train: sample", folds, size), ignore_index=True)
        rows = table.iloc[sampling.sample(table["row"], size)].sort_values("row")
        return pipeline.fit(to_matrix(rows, schema.features), rows[schema.target.name].to_numpy(float))


def _smallest(rows: PartRows, folds: np.ndarray, size: int) -> pd.DataFrame:
    """Return those rows of a part's rows in these folds that can be in a sample of this size."""
    table = rows.table[np.isin(rows.fold, folds)]
    return table.iloc[sampling.sample(table["row"], size)]
