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

    def fit(self, tried: list[Hyperparameters], indicators: tuple[int, ...], number: int) -> list[Pipeline]:
        pipelines = self.set_up(tried, indicators)
        folds, schema = training_folds(self.statistics.splits)[number], self.parts.schema
        sizes = [pipeline[-1].regressor.max_rows for pipeline in pipelines]
        table = pd.concat(self.parts.map(_smallest, "train: sample", folds, max(sizes)), ignore_index=True)
        for pipeline, size in zip(pipelines, sizes, strict=True):
            rows = table.iloc[sampling.sample(table["row"], size)].sort_values("row")
            pipeline.fit(to_matrix(rows, schema.features), rows[schema.target.name].to_numpy(float))
        return pipelines


def _smallest(rows: PartRows, folds: np.ndarray, size: int) -> pd.DataFrame:
    """Return those rows of a part's rows in these folds that can be in a sample of this size."""
    table = rows.table[np.isin(rows.fold, folds)]
    return table.iloc[sampling.sample(table["row"], size)]
