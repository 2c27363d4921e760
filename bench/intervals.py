"""Prediction intervals against MAPIE's, on the same seeded splits of the shipped table with the same model.

    python -m bench.intervals [SPLITS]

Coverage should be the level; at the same coverage the narrower is better.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from mapie.regression import CrossConformalRegressor, SplitConformalRegressor
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline

from pipeline.contract import params, schema
from pipeline.tables import atomic_files, parquet
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training import families
from pipeline.training.conformal import half_width

CLEAN = Path("data/clean")


def lines(splits: int = 20) -> Iterator[str]:
    """The table in Markdown."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(splits):
        for method, figures in _split(seed):
            found.setdefault(method, []).append(figures)
    base = np.array(found["MAPIE base (one width)"])
    yield "| intervals | coverage | width | width / MAPIE base | coverage of the highest tenth |"
    yield "|---" * 5 + "|"
    for method, figures in found.items():
        values = np.array(figures)
        ratio = values[:, 1] / base[:, 1]
        cells = [_cell(values[:, 0]), _cell(values[:, 1], 2), _cell(ratio), _cell(values[:, 2], 2)]
        yield f"| {method} | {' | '.join(cells)} |"


def _split(seed: int) -> Iterator[tuple[str, tuple[float, float, float]]]:
    columns, level = schema.load(), params.load(params.Train).interval_level
    table = pd.concat([parquet.read(CLEAN / name) for name in ("train.parquet", "test.parquet")])
    matrix, target = to_matrix(table, columns.features), table[columns.target.name].to_numpy(float)
    order = np.random.default_rng(seed).permutation(len(target))
    test, training = np.array_split(order, [len(order) // 5])
    settings = atomic_files.read_json(Path("metrics/train/xgboost.json"))["settings"]

    def make() -> Pipeline:
        return families.numeric_pipeline(columns, "xgboost", 0, settings)

    folds = KFold(5, shuffle=True, random_state=seed)
    known, answers = matrix[training], target[training]
    out_of_fold = np.empty(len(training))
    for fit, held in folds.split(known):
        out_of_fold[held] = make().fit(known[fit], answers[fit]).predict(known[held])
    predicted = make().fit(known, answers).predict(matrix[test])
    half = np.interp(predicted, *half_width(out_of_fold, answers - out_of_fold, level))
    yield "ours", _figures(target[test], predicted, predicted - half, predicted + half)
    for name, method in (("MAPIE base (one width)", "base"), ("MAPIE CV+", "plus")):
        peer = CrossConformalRegressor(make(), confidence_level=level, method=method, cv=folds)
        bounds = peer.fit_conformalize(known, answers).predict_interval(matrix[test])[1][:, :, 0]
        yield name, _figures(target[test], predicted, *bounds.T)
    quarter = len(training) // 4
    split = SplitConformalRegressor(make().fit(known[quarter:], answers[quarter:]), confidence_level=level)
    bounds = split.conformalize(known[:quarter], answers[:quarter]).predict_interval(matrix[test])[1][:, :, 0]
    yield "split conformal (MAPIE, a quarter held out)", _figures(target[test], predicted, *bounds.T)


def _figures(
    actual: np.ndarray, predicted: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> tuple[float, float, float]:
    """(coverage, mean width, coverage of the rows with the highest tenth of the predictions)."""
    inside = (lower <= actual) & (actual <= upper)
    highest = np.argsort(predicted)[-len(predicted) // 10 :]
    return float(inside.mean()), float((upper - lower).mean()), float(inside[highest].mean())


def _cell(values: np.ndarray, digits: int = 3) -> str:
    """The mean and its standard error over the splits."""
    return f"{values.mean():.{digits}f} +- {values.std(ddof=1) / np.sqrt(len(values)):.{digits}f}"


def main() -> None:
    print(*lines(*map(int, sys.argv[1:])), sep="\n")


if __name__ == "__main__":
    main()
