"""Second evidence: champion and challenger, fitted again with their settings, in repeated cross-validation.

It decides nothing: the challenger's settings were chosen on these rows. The test split takes no part in it.
"""

import joblib
import numpy as np
import pandas as pd
from scipy import special
from sklearn.model_selection import cross_val_score

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.number_text import change, share
from pipeline.contract.schema import Schema
from pipeline.contract.wording import counted
from pipeline.tables import parquet, sampling, splitting
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training import recipe
from pipeline.training.recipe import Recipe

# Training rows that take part: a gate should take seconds, whatever the table.
ROWS = 2_000
REPEATS = 3
LEVEL = 0.95
SEED = 0

Splits = list[tuple[np.ndarray, np.ndarray]]


def corrected(champion: np.ndarray, challenger: np.ndarray, splits: Splits) -> tuple[float, float, float]:
    """Return the change of RMSE, new / current - 1, and its two-sided interval at LEVEL, from the mean squared errors
    on the held rows of each split [splits].

    It is the t interval of the mean log ratio of RMSE.
    """
    ratios = np.log(challenger / champion) / 2
    half = special.stdtrit(len(splits) - 1, (1 + LEVEL) / 2) * standard_error(ratios, splits)
    change, low, high = np.exp(ratios.mean() + np.array([0, -half, half])) - 1
    return float(change), float(low), float(high)


def standard_error(differences: np.ndarray, splits: Splits) -> float:
    """Return the standard error of the mean difference of two models over at least two splits; `differences` [splits].

    Splits share training rows, so that the plain variance of a mean is too small: 1 / n becomes 1 / n + (rows held) /
    (rows trained on) (Nadeau and Bengio 2003, Inference for the Generalization Error, section 3).
    """
    share = np.mean([len(held) / len(train) for train, held in splits])
    return float(np.sqrt((1 / len(splits) + share) * differences.var(ddof=1)))


def repeated(table: pd.DataFrame, schema: Schema) -> Splits:
    """Split by the folds of the table, then by as many drawn anew for each further repetition.

    With a time there is one repetition: its order leaves nothing to draw.
    """
    fold = table["fold"].to_numpy()
    again = 0 if schema.with_role("time") else REPEATS - 1
    drawn = (splitting.redrawn(table, schema, int(fold.max()) + 1, number) for number in range(1, again + 1))
    return [split for each in (fold, *drawn) for split in splitting.splits(each, schema) if all(map(len, split))]


def sentence(champion: bytes, challenger: bytes) -> str:
    """Say the change of RMSE between two model files, or why there is none."""
    recipes = [recipe.read(champion), recipe.read(challenger)]
    table = parquet.read(paths.TRAIN, numbers=sampling.sample_numbers(paths.TRAIN, ROWS))
    splits = repeated(table, recipes[1].schema)
    start = "Repeated cross-validation, change of RMSE:"
    try:
        before, after = (errors(each, table, splits) for each in recipes)
    except PipelineError as error:  # today's code or rows cannot fit the champion
        return f"{start} none, {error}."
    if not (before > 0).all() or not (after > 0).all():
        return f"{start} none, a model makes no error at all."
    if len(splits) < 2:
        return f"{start} none, one split shows no spread."
    changed, low, high = map(change, corrected(before, after, splits))
    return (
        f"{start} {changed}, {share(LEVEL, 0)} interval {low} to {high} over {len(splits)} fits of each on "
        f"{counted(len(table), 'training row')}."
    )


def errors(model: Recipe, table: pd.DataFrame, splits: Splits) -> np.ndarray:
    """Return the mean squared error on the held rows of each split [splits], fitted to its other rows."""
    matrix, target = to_matrix(table, model.schema.features), table[model.schema.target.name].to_numpy(float)
    score, estimator = "neg_mean_squared_error", model.model(SEED)
    with joblib.parallel_config("threading", n_jobs=-1):
        return -cross_val_score(estimator, matrix, target, cv=splits, scoring=score, error_score="raise")
