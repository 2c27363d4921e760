"""Champion and challenger fitted again, with their settings, in repeated cross-validation on the training rows.

The folds are drawn anew, since the challenger's settings were chosen on those of the table. The test split takes no
part. The errors are kept in .cache/gate, by recipe, rows, folds and code, so that asking again takes no fits.
"""

import hashlib
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import yaml
from sklearn.base import BaseEstimator, clone
from threadpoolctl import threadpool_limits

from pipeline.contract import params, paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import Model
from pipeline.contract.params import Train
from pipeline.contract.schema import Schema
from pipeline.distributed.executor import Executor
from pipeline.gate.champion import Champion
from pipeline.gate.comparable import known_rows
from pipeline.gate.out_of_fold import OutOfFold
from pipeline.registry import git
from pipeline.tables import atomic_files, parquet, splitting
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training import budgets, recipe, space
from pipeline.training.cross_validation import Split
from pipeline.training.recipe import Recipe

# Above MOST training rows the test split says enough, and a sample of them would favour models that need few rows.
MOST = 10_000
# With few folds a model that learns fast from few rows would look better than it is.
FOLDS = 10
# Repetitions, each with other folds and seeds, to even out their luck; one for more than FEW training rows, where the
# fits would take longer than training did.
REPEATS, FEW = 2, 1_000
CACHE = Path(".cache/gate")


class NoEvidenceError(Exception):
    """The reason why cross-validation says nothing about two model files."""


def errors(champion: Champion, challenger: Model) -> OutOfFold:
    """Return the squared errors of both models' recipes on the training rows that a fold holds out and whose categories
    the champion knows. `challenger`: the model of the workspace.

    Raises NoEvidenceError where the models learned from other files or in the same way, where there are too many rows,
    and where today's code or rows cannot fit one of them; PipelineError where the training split cannot be read.
    """
    learned = [model.description.training for model in (champion.model, challenger)]
    if learned[0].sha256 != learned[1].sha256:
        raise NoEvidenceError("the models learned from two training files, not only in two ways")
    if learned[1].rows > MOST:
        raise NoEvidenceError(f"of more than {MOST:,} training rows, the test split says enough")
    before, after = recipe.read(champion.content), recipe.read(paths.MODEL.read_bytes())
    if (before.members, before.schema.features) == (after.members, after.schema.features):
        raise NoEvidenceError("both models have the same settings and features")
    table = parquet.read(paths.TRAIN)
    today = params.load(Train)
    try:
        table = table[known_rows(before.schema, champion.model.name, table)]
        held = repeated(table, after.schema)
        squared = np.column_stack([_of_recipe(each, table, held, today.search_rows) for each in (before, after)])
    except PipelineError as error:
        raise NoEvidenceError(str(error)) from error
    squared = squared[np.isfinite(squared).all(axis=1)]
    if not len(squared):
        raise NoEvidenceError("no training row that a fold holds out has an error of both models")
    return OutOfFold(squared, (_settings_at(champion.commit), space.settings_tried(today.families, today.max_settings)))


def repeated(table: pd.DataFrame, schema: Schema) -> list[list[Split]]:
    """Return the splits of each repetition, by folds that are drawn anew for each.

    With a time there is one repetition, by the folds of the table: its order leaves nothing to draw.
    """
    fold = table["fold"].to_numpy()
    folds = [fold]
    if not schema.with_role("time"):
        repeats = REPEATS if len(table) <= FEW else 1
        folds = [splitting.redrawn(table, schema, FOLDS, number) for number in range(1, repeats + 1)]
    return [[split for split in splitting.splits(each, schema) if all(map(len, split))] for each in folds]


def _of_recipe(model: Recipe, table: pd.DataFrame, repetitions: list[list[Split]], drawn: int) -> np.ndarray:
    """Return the mean squared error of each row [rows], from the cache where this was asked before. A forest has as few
    trees as out of fold in training; `drawn`: the rows that each learns from, at most."""
    matrix, target = to_matrix(table, model.schema.features), table[model.schema.target.name].to_numpy(float)
    model = model.with_trees(budgets.trees(matrix.shape, drawn))
    path = CACHE / f"{joblib.hash((model, matrix, target, repetitions, _code()))}.npy"
    try:
        kept: np.ndarray = np.load(path)
        if (kept.shape, kept.dtype) != (target.shape, target.dtype):
            raise ValueError(f"{path} does not hold one error for each row")
        return kept
    except (OSError, ValueError, EOFError):  # absent or damaged: it can be made again
        estimators = [model.model(seed) for seed in range(len(repetitions))]
        errors = squared_errors(estimators, matrix, target, repetitions)
        # Where nothing can be written the verdict stands all the same.
        with suppress(OSError), atomic_files.replacing(path) as partial, partial.open("wb") as file:
            np.save(file, errors)
        return errors


def squared_errors(
    estimators: list[BaseEstimator], matrix: np.ndarray, target: np.ndarray, repetitions: list[list[Split]]
) -> np.ndarray:
    """Return the mean squared error of each row [rows] over the repetitions, each with an unfitted estimator of its
    own; NaN for a row that none holds out. Raises PipelineError where a fit fails."""
    fits = [(estimator, split) for estimator, splits in zip(estimators, repetitions, strict=True) for split in splits]
    # One BLAS thread in each fit: they occupy the cores already.
    with threadpool_limits(1):
        found = Executor().map(_predict, fits, "gate: fits", matrix, target, threads=-1)
    total, times = np.zeros(len(target)), np.zeros(len(target))
    for (_, (_, held)), predicted in zip(fits, found, strict=True):
        total[held] += np.square(predicted - target[held])
        times[held] += 1
    with np.errstate(invalid="ignore"):
        return total / times


def _settings_at(commit: str | None) -> int:
    """Return the number of settings that a commit's params.yaml names; 1, the cautious count, where it is unknown."""
    try:
        train: Any = yaml.safe_load(git.show(commit, paths.PARAMS) or "")["train"] if commit else {}
        return space.settings_tried(train["families"], train.get("max_settings", sys.maxsize))
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, PipelineError):
        return 1


def _code() -> str:
    """Return a hash of the code that fits models and of the libraries' versions: others make other errors."""
    sources = b"".join(path.read_bytes() for path in sorted(Path(recipe.__file__).parent.rglob("*.py")))
    versions = " ".join(map(version, ("numpy", "scipy", "scikit-learn", "xgboost")))
    return hashlib.sha256(sources + versions.encode()).hexdigest()


def _predict(fit: tuple[BaseEstimator, Split], matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    estimator, (train, held) = fit
    with joblib.parallel_config("sequential"):
        try:
            predicted: np.ndarray = clone(estimator).fit(matrix[train], target[train]).predict(matrix[held])
        except (ValueError, TypeError) as error:  # of scikit-learn and xgboost: a setting or a value that they refuse
            raise PipelineError(f"a model cannot be fitted again: {str(error).strip().splitlines()[0]}") from error
    return predicted
