"""Cross-validation: the out-of-fold predictions of a family with each of several settings."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import joblib
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from pipeline.contract.errors import PipelineError
from pipeline.contract.schema import Schema
from pipeline.distributed.executor import Executor
from pipeline.tables import digits, splitting
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training.shared_trees import Sharing

Hyperparameters = dict[str, Any]
Split = tuple[np.ndarray, np.ndarray]  # the positions of the rows to train on, and of those held out
MakePipeline = Callable[[Hyperparameters], Pipeline]


class Rows(NamedTuple):
    """Training rows: the feature `matrix` [rows, columns], the `target` [rows], the splits of a cross-validation; of a
    sample those alone that have rows on both sides."""

    matrix: np.ndarray
    target: np.ndarray
    splits: list[Split]

    @classmethod
    def of(cls, training: pd.DataFrame, schema: Schema) -> Self:
        """Return the rows of a typed table without rows of the test split."""
        target = training[schema.target.name].to_numpy(float)
        splits = [each for each in splitting.splits(training["fold"].to_numpy(), schema) if all(map(len, each))]
        return cls(to_matrix(training, schema.features), target, splits)

    def squared_errors(self, predictions: np.ndarray) -> np.ndarray:
        """Return the squared errors [..., held rows] of predictions [..., rows]; with a time column no split holds the
        first block."""
        held = np.sort(np.concatenate([positions for _, positions in self.splits]))
        with np.errstate(over="ignore", invalid="ignore"):  # of models that diverged
            errors: np.ndarray = np.square(predictions[..., held] - self.target[held])
        return errors


def cross_validate(
    tried: list[Hyperparameters],
    make: MakePipeline,
    sharing: Sharing,
    rows: Rows,
    family: str,
    run: Executor,
    bar: tqdm | None = None,
) -> np.ndarray:
    """Return out-of-fold predictions [settings, rows]; NaN where no split holds the row.

    `make(settings)` makes an unfitted pipeline of the family. `bar`: as of `Executor.map`.
    Raises PipelineError that names settings which the model refuses.
    """
    fits = [(group, split) for group in sharing.groups(tried) for split in range(len(rows.splits))]
    tasks = [([tried[position] for position in group], split) for group, split in fits]
    # One BLAS thread in each fit: they occupy the cores already.
    with threadpool_limits(1):
        found = run.map(_predict, tasks, f"{family}: fits", make, sharing, rows, family, threads=-1, bar=bar)
    predictions = np.full((len(tried), len(rows.target)), np.nan)
    for (group, split), values in zip(fits, found, strict=True):
        predictions[np.ix_(np.array(group), rows.splits[split][1])] = values
    return predictions


def rmse(squared: np.ndarray) -> tuple[float, float]:
    """Return the RMSE of held rows with these squared errors, and its standard error."""
    return rmse_of_moments(len(squared), float(squared.mean()), float(squared.var(ddof=1)))


def rmse_of_moments(rows: int, mean: float, variance: float) -> tuple[float, float]:
    """Return the RMSE of so many held rows, and its standard error by the delta method, from the mean and the variance
    of their squared errors."""
    root = math.sqrt(mean)
    found: tuple[float, float] = digits.significant((root, math.sqrt(variance / rows) / (2 * root) if root else 0.0))
    return found


def _predict(
    task: tuple[list[Hyperparameters], int],
    make: MakePipeline,
    sharing: Sharing,
    rows: Rows,
    family: str,
) -> np.ndarray:
    """Return the predictions [settings, held rows] of one split."""
    group, split = task
    matrix, target = rows.matrix, rows.target
    train, held = rows.splits[split]
    # Sequential: the fits run side by side already.
    with named_refusal(family, group[0]), joblib.parallel_config("sequential"):
        pipelines = [make(settings) for settings in group]
        prepare = pipelines[0][:-1]
        prepared = prepare.fit_transform(matrix[train])
        models = [pipeline[-1].regressor for pipeline in pipelines]
        unit = pipelines[0][-1].transformer.fit(target[train])
        known = unit.transform(target[train])
        return unit.inverse_transform(sharing.predict(models, prepared, known, prepare.transform(matrix[held])))


@contextmanager
def named_refusal(family: str, settings: Hyperparameters) -> Iterator[None]:
    """Raise PipelineError that names the settings where a model refuses them in the block."""
    try:
        yield
    except (ValueError, TypeError) as error:  # of scikit-learn and xgboost: a value that is out of range
        reason = str(error).strip().splitlines()[0]
        raise PipelineError(f"params.yaml: train.families.{family}: {settings} cannot be fitted: {reason}") from error
