"""Cross-validation: the out-of-fold predictions of a family with each of several settings."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import joblib
import numpy as np
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from pipeline.contract.errors import PipelineError
from pipeline.distributed.executor import Executor
from pipeline.training.shared_trees import Sharing

Hyperparameters = dict[str, Any]
Split = tuple[np.ndarray, np.ndarray]  # the positions of the rows to train on, and of those held out
MakePipeline = Callable[[Hyperparameters], Pipeline]


def cross_validate(
    tried: list[Hyperparameters],
    make: MakePipeline,
    sharing: Sharing,
    matrix: np.ndarray,
    target: np.ndarray,
    splits: list[Split],
    family: str,
    run: Executor,
) -> np.ndarray:
    """Return out-of-fold predictions [settings, rows]; NaN where no split holds the row.

    `make(settings)` makes an unfitted pipeline of the family.
    Raises PipelineError that names settings which the model refuses.
    """
    fits = [(group, split) for group in sharing.groups(tried) for split in range(len(splits))]
    tasks = [([tried[position] for position in group], split) for group, split in fits]
    # One BLAS thread in each fit: they occupy the cores already.
    with threadpool_limits(1):
        found = run.map(_predict, tasks, f"{family}: fits", make, sharing, matrix, target, splits, family, threads=-1)
    predictions = np.full((len(tried), len(target)), np.nan)
    for (group, split), values in zip(fits, found, strict=True):
        predictions[np.ix_(np.array(group), splits[split][1])] = values
    return predictions


def rmse(squared: np.ndarray) -> tuple[float, float]:
    """Return the root of the mean of squared errors of held rows, and its standard error by the delta method."""
    root = float(np.sqrt(squared.mean()))
    return root, float(squared.std(ddof=1) / np.sqrt(len(squared)) / (2 * root)) if root else 0.0


def _predict(
    task: tuple[list[Hyperparameters], int],
    make: MakePipeline,
    sharing: Sharing,
    matrix: np.ndarray,
    target: np.ndarray,
    splits: list[Split],
    family: str,
) -> np.ndarray:
    """Return the predictions [settings, held rows] of one split."""
    group, split = task
    train, held = splits[split]
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
