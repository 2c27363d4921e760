"""Cross-validation of a grid: out-of-fold predictions of every combination of settings, with no fit done twice."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import joblib
import numpy as np
from sklearn.pipeline import Pipeline
from tqdm import tqdm

from stages.errors import PipelineError
from stages.families import Growth

Settings = dict[str, Any]
Split = tuple[np.ndarray, np.ndarray]


def combinations(grid: dict[str, list[Any]]) -> list[Settings]:
    """Every combination of a grid's settings, the last one changing fastest."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def cross_validate(
    tried: list[Settings],
    make: Callable[[Settings], Pipeline],
    growth: Growth | None,
    matrix: np.ndarray,
    target: np.ndarray,
    splits: list[Split],
    label: str,
) -> np.ndarray:
    """Out-of-fold predictions [settings, rows]: each row's by the fit that did not see it, NaN where no fold holds it.

    `make(settings)` gives an unfitted pipeline. Settings that differ in `growth.setting` alone share one fit, of the
    largest: the smaller models are its beginnings.
    Raises PipelineError naming settings that the model refuses.
    """
    if growth is not None and any(growth.setting not in settings for settings in tried):
        growth = None
    tasks = [(group, train, held) for group in _groups(tried, growth) for train, held in splits]
    predictions = np.full((len(tried), len(target)), np.nan)

    def predict(group: list[int], train: np.ndarray, held: np.ndarray) -> tuple[list[int], np.ndarray, np.ndarray]:
        largest = tried[group[-1]]
        try:
            fitted = make(largest).fit(matrix[train], target[train])
        except ValueError as error:  # of scikit-learn and xgboost: a setting that is out of range
            reason = str(error).strip().splitlines()[0]
            raise PipelineError(f"params.yaml: train.families.{label}: {largest} cannot be fitted: {reason}") from error
        if growth is None:
            return group, held, fitted.predict(matrix[held])[None, :]
        sizes = [tried[place][growth.setting] for place in group]
        return group, held, growth.predict(fitted[-1], fitted[:-1].transform(matrix[held]), sizes)

    # Threads: fitting releases Python's lock, and a process would first have to import what this one has.
    run = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator_unordered")
    results = run(joblib.delayed(predict)(*task) for task in tasks)
    for group, held, values in tqdm(results, total=len(tasks), desc=f"{label}: fits", disable=None):
        predictions[np.ix_(group, held)] = values
    return predictions


def _groups(tried: list[Settings], growth: Growth | None) -> Iterator[list[int]]:
    """The places of settings that one fit serves, the largest last."""
    if growth is None:
        yield from ([place] for place in range(len(tried)))
        return
    groups: dict[str, list[int]] = {}
    for place, settings in enumerate(tried):
        rest = {name: value for name, value in settings.items() if name != growth.setting}
        groups.setdefault(repr(rest), []).append(place)
    for group in groups.values():
        yield sorted(group, key=lambda place: tried[place][growth.setting])
