"""Prediction intervals against MAPIE's, on the same seeded splits of the shipped table with the same model: that of
models/model.onnx, fitted again.

    python -m bench.intervals [SPLITS]

Coverage should be the level. The Winkler score joins both: the width, and 2 / (1 - level) times what an actual value is
outside; the lower is the better.
"""

import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
from mapie.regression import CrossConformalRegressor, SplitConformalRegressor
from sklearn.ensemble import VotingRegressor
from sklearn.model_selection import KFold

from pipeline.contract import params, paths
from pipeline.tables import parquet
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training import blend, conformal, recipe
from pipeline.training.recipe import Recipe

Figures = tuple[float, float, float, float]


def lines(splits: int = 20) -> Iterator[str]:
    """The table in Markdown."""
    found: dict[str, list[Figures]] = {}
    again = recipe.read(paths.MODEL.read_bytes())
    for seed in range(splits):
        for method, figures in _split(again, seed):
            found.setdefault(method, []).append(figures)
    base = np.array(found["MAPIE base (one width)"])
    yield "| intervals | coverage | width | Winkler score | score / MAPIE base | coverage of the highest tenth |"
    yield "|---" * 6 + "|"
    for method, figures in found.items():
        coverage, width, score, highest = np.array(figures).T
        cells = [_cell(coverage), _cell(width, 2), _cell(score, 2), _cell(score / base[:, 2]), _cell(highest, 2)]
        yield f"| {method} | {' | '.join(cells)} |"


def _split(again: Recipe, seed: int) -> Iterator[tuple[str, Figures]]:
    level, columns = params.load(params.Train).interval_level, again.schema.features
    table = pd.concat([parquet.read(path) for path in (paths.TRAIN, paths.TEST)])
    matrix, target = to_matrix(table, columns), table[again.schema.target.name].to_numpy(float)
    order = np.random.default_rng(seed).permutation(len(target))
    test, training = np.array_split(order, [len(order) // 5])
    known, answers = matrix[training], target[training]
    folds = KFold(5, shuffle=True, random_state=seed)
    splits = list(folds.split(known))

    members = np.empty((len(training), len(again.members)))
    for fit, held in splits:
        members[held] = _fitted(again, known[fit], answers[fit]).transform(known[held])
    whole, weights = _fitted(again, known, answers), np.array([member.weight for member in again.members])
    predictions, disagreement = blend.combine(members, weights)
    predicted, apart = blend.combine(whole.transform(matrix[test]), weights)
    residuals = answers - predictions
    for name, half in (
        ("ours", conformal.better(predictions, residuals, disagreement, level, splits)),
        ("by the prediction alone", conformal.half_width(predictions, residuals, level)),
    ):
        width = half.at(predicted, apart)
        yield name, _figures(target[test], predicted, predicted - width, predicted + width, level)
    for name, method in (("MAPIE base (one width)", "base"), ("MAPIE CV+", "plus")):
        peer = CrossConformalRegressor(again.model(0), confidence_level=level, method=method, cv=folds)
        bounds = peer.fit_conformalize(known, answers).predict_interval(matrix[test])[1][:, :, 0]
        yield name, _figures(target[test], predicted, *bounds.T, level)
    quarter = len(training) // 4
    split = SplitConformalRegressor(_fitted(again, known[quarter:], answers[quarter:]), confidence_level=level)
    bounds = split.conformalize(known[:quarter], answers[:quarter]).predict_interval(matrix[test])[1][:, :, 0]
    yield "split conformal (MAPIE, a quarter held out)", _figures(target[test], predicted, *bounds.T, level)


def _fitted(again: Recipe, matrix: np.ndarray, target: np.ndarray) -> VotingRegressor:
    return again.model(0).fit(matrix, target)


def _figures(actual: np.ndarray, predicted: np.ndarray, lower: np.ndarray, upper: np.ndarray, level: float) -> Figures:
    """(coverage, mean width, mean Winkler score, coverage of the rows with the highest tenth of the predictions)."""
    inside = (lower <= actual) & (actual <= upper)
    outside = np.maximum(lower - actual, 0) + np.maximum(actual - upper, 0)
    width = upper - lower
    highest = np.argsort(predicted)[-len(predicted) // 10 :]
    score = (width + 2 / (1 - level) * outside).mean()
    return float(inside.mean()), float(width.mean()), float(score), float(inside[highest].mean())


def _cell(values: np.ndarray, digits: int = 3) -> str:
    """The mean and its standard error over the splits."""
    return f"{values.mean():.{digits}f} +- {values.std(ddof=1) / np.sqrt(len(values)):.{digits}f}"


def main() -> None:
    print(*lines(*map(int, sys.argv[1:])), sep="\n")


if __name__ == "__main__":
    main()
