"""Out-of-fold predictions of every combination of settings, with no fit done twice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.pipeline import Pipeline
from tqdm import tqdm

from pipeline.contract.errors import PipelineError
from pipeline.distributed.shared_files import Lendable, lendable
from pipeline.training.shared_trees import Sharing

Settings = dict[str, Any]
Split = tuple[np.ndarray, np.ndarray]
Make = Callable[[Settings], Pipeline]


def cross_validate(
    tried: list[Settings],
    make: Make,
    sharing: Sharing | None,
    matrix: np.ndarray,
    target: np.ndarray,
    splits: list[Split],
    label: str,
    folder: Path | None = None,
) -> np.ndarray:
    """Out-of-fold predictions [settings, rows]: each row's by the fit that did not see it, NaN where no fold holds it.

    `make(settings)` gives an unfitted pipeline; settings that differ in `sharing.settings` alone share their fits.
    `folder`: where workers of Dask, if joblib hands the fits to some, find the rows.
    Raises PipelineError naming settings that the model refuses.
    """
    shared = sharing.settings if sharing else frozenset[str]()
    tasks = [(group, split) for group in groups(tried, shared) for split in splits]
    predictions = np.full((len(tried), len(target)), np.nan)
    # Threads: fitting releases Python's lock, and a process would first have to import what this one has.
    run = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")
    with lendable((matrix, target), folder) as data:
        results = run(
            joblib.delayed(_predict)([tried[place] for place in group], make, sharing, data, split, label)
            for group, split in tasks
        )
        for (group, (_, held)), values in tqdm(
            zip(tasks, results, strict=True), total=len(tasks), desc=f"{label}: fits", disable=None
        ):
            predictions[np.ix_(group, held)] = values
    return predictions


def _predict(
    settings: list[Settings],
    make: Make,
    sharing: Sharing | None,
    data: Lendable,
    split: Split,
    label: str,
) -> np.ndarray:
    """Predictions [settings, held rows] of settings that may share their fits; `data`: of a matrix and a target."""
    (matrix, target), (train, held) = data.content, split
    pipelines = [make(each) for each in settings]
    prepare, models = pipelines[0][:-1], [pipeline[-1] for pipeline in pipelines]
    # Sequential: within a fit scikit-learn would hand parts of it to Dask, which forgets them where a worker dies.
    with naming(label, settings[-1]), joblib.parallel_config("sequential"):
        prepared = prepare.fit_transform(matrix[train])
        if sharing and _may_share(settings[0], sharing.settings):
            return sharing.predict(models, prepared, target[train], prepare.transform(matrix[held]))
        return models[0].fit(prepared, target[train]).predict(prepare.transform(matrix[held]))[None, :]


@contextmanager
def naming(family: str, settings: Settings) -> Iterator[None]:
    """Raises PipelineError naming the settings that a model refuses in the block."""
    try:
        yield
    except (ValueError, TypeError) as error:  # of scikit-learn and xgboost: a setting that is out of range
        reason = str(error).strip().splitlines()[0]
        raise PipelineError(f"params.yaml: train.families.{family}: {settings} cannot be fitted: {reason}") from error


def groups(tried: list[Settings], shared: frozenset[str]) -> Iterator[list[int]]:
    """The places of settings that share their fits: those that have the same value of all that is not `shared`."""
    found: dict[str, list[int]] = {}
    for place, settings in enumerate(tried):
        mine = sorted(name for name in settings if name in shared)
        # What the model may refuse is fitted alone, so that the message names it.
        alone = None if _may_share(settings, shared) else place
        rest = {name: value for name, value in settings.items() if name not in shared}
        found.setdefault(repr((rest, mine, alone)), []).append(place)
    yield from found.values()


def _may_share(settings: Settings, shared: frozenset[str]) -> bool:
    """None is no limit, but no number of trees."""
    return all(
        _is_count(value) or (value is None and name != "n_estimators")
        for name, value in settings.items()
        if name in shared
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
