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
from pipeline.training.shared_trees import Prefixes

Hyperparameters = dict[str, Any]
Split = tuple[np.ndarray, np.ndarray]  # the positions of the rows to train on, and of those held out
MakePipeline = Callable[[Hyperparameters], Pipeline]


def cross_validate(
    tried: list[Hyperparameters],
    make: MakePipeline,
    prefixes: Prefixes | None,
    matrix: np.ndarray,
    target: np.ndarray,
    splits: list[Split],
    family: str,
    run: Executor | None = None,
) -> np.ndarray:
    """Out-of-fold predictions [settings, rows], each by the fit that did not see the row; NaN where no fold holds it.

    `make(settings)` makes an unfitted pipeline of the family. With `prefixes`, settings that differ in `n_estimators`
    alone share a fit.
    `run`: makes the fits side by side, by threads here (None) or by the workers of Dask.
    Raises PipelineError that names settings which the model refuses.
    """
    groups = by_size(tried) if prefixes else [[position] for position in range(len(tried))]
    tasks = [(group, split) for group in groups for split in range(len(splits))]
    predictions = np.full((len(tried), len(target)), np.nan)
    fits = [([tried[position] for position in group], split, make, prefixes, family) for group, split in tasks]
    # One BLAS thread in each of them: they occupy the cores already.
    with threadpool_limits(1):
        results = (run or Executor()).fan_out(_predict, fits, (matrix, target, splits), f"{family}: fits")
        for (group, split), values in zip(tasks, results, strict=True):
            predictions[np.ix_(np.array(group), splits[split][1])] = values
    return predictions


def _predict(
    matrix: np.ndarray,
    target: np.ndarray,
    splits: list[Split],
    group: list[Hyperparameters],
    split: int,
    make: MakePipeline,
    prefixes: Prefixes | None,
    family: str,
) -> np.ndarray:
    """Predictions [settings of the group, held rows], of one fit to the split at this position."""
    train, held = splits[split]
    largest = max(group, key=lambda settings: settings["n_estimators"]) if len(group) > 1 else group[0]
    # Sequential: the fits run side by side already.
    with named_refusal(family, largest), joblib.parallel_config("sequential"):
        pipeline = make(largest).fit(matrix[train], target[train])
        if len(group) == 1 or prefixes is None:
            return pipeline.predict(matrix[held])[None, :]
        prepared = pipeline[:-1].transform(matrix[held])
        return prefixes(pipeline[-1], prepared, [settings["n_estimators"] for settings in group])


@contextmanager
def named_refusal(family: str, settings: Hyperparameters) -> Iterator[None]:
    """Raise PipelineError that names the settings where a model refuses them in the block."""
    try:
        yield
    except (ValueError, TypeError) as error:  # of scikit-learn and xgboost: a value that is out of range
        reason = str(error).strip().splitlines()[0]
        raise PipelineError(f"params.yaml: train.families.{family}: {settings} cannot be fitted: {reason}") from error


def by_size(tried: list[Hyperparameters]) -> list[list[int]]:
    """The positions of settings in groups that differ in `n_estimators` alone."""
    groups: dict[str, list[int]] = {}
    for position, settings in enumerate(tried):
        size = settings.get("n_estimators")
        # A size that the model may refuse has a group of its own, so that the message names it.
        key = {**settings, "n_estimators": None} if type(size) is int and size >= 1 else position
        groups.setdefault(repr(key), []).append(position)
    return list(groups.values())
