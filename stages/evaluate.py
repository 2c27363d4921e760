"""Evaluate: judge the selected model, as it will be served, on the test split. Nothing is chosen here.

Reads models/model.onnx, data/clean/test.parquet, metrics/train, params `evaluate`; writes metrics/evaluate.json, the
plot data in metrics/plots and models/model_card.md.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages import errors, files, params, plots, rows, sampling, scores
from stages.evaluation import bootstrap, card, findings, importance, slices
from stages.evaluation.findings import Judgement
from stages.evaluation.importance import Importance
from stages.matrix import to_matrix
from stages.onnx_file import Model
from stages.params import Evaluate
from stages.plots import Data

TEST = Path("data/clean/test.parquet")
FAMILIES = Path("metrics/train")
# Importance predicts its rows once for each feature and shuffle: seconds for so many, minutes for all of a large table.
IMPORTANCE_ROWS = 2_000


def judge(model: Model, test: pd.DataFrame, predictions: np.ndarray, limits: Evaluate) -> Judgement:
    """All that the typed rows of the test split say of the model; `predictions` [rows, 3] are what it says of them."""
    about = model.description
    actual = test[about.schema.target.name].to_numpy(float)
    intervals = bootstrap.intervals(actual, predictions, limits)
    low, high = intervals["rmse"] or (None, None)
    figures = bootstrap.figures(actual, predictions)
    within = {name: figures.pop(name) for name in ("coverage", "interval_width")}
    metrics: dict[str, Any] = {
        "family": about.family,
        **figures,
        "rmse_ci_low": low,
        "rmse_ci_high": high,
        "cv_rmse": about.training.cv_rmse,
        "baseline_rmse": scores.rmse(actual, np.full_like(actual, about.training.target_median)),
        **within,
        "n_train": about.training.rows,
        "n_test": len(actual),
    }
    found = slices.measure(test, about.schema, predictions, limits)
    return Judgement(metrics, intervals, found, permute(model, test, limits))


def permute(model: Model, test: pd.DataFrame, limits: Evaluate) -> list[Importance]:
    """The importance of each feature for the served model, on at most IMPORTANCE_ROWS rows of the test split."""
    about = model.description
    part = test.iloc[rows.sample(test["row"], IMPORTANCE_ROWS)]
    matrix, actual = to_matrix(part, about.columns), part[about.schema.target.name].to_numpy(float)

    def predict(features: np.ndarray) -> np.ndarray:
        return model.predict(features)[:, 0]

    return importance.permute(predict, matrix, actual, about.features, limits.importance_repeats, limits.seed)


def draw(judged: Judgement, numbers: pd.Series, actual: np.ndarray, predictions: np.ndarray, level: float) -> Data:
    """The data of each plot of the test split by its name; `numbers`: of the rows; `level`: of coverage's intervals."""
    return {
        **plots.points(numbers, actual, predictions[:, 0]),
        "slices": slices.plot_data(judged.slices),
        "importance": importance.plot_data(judged.importance),
        "coverage": plots.coverage(actual, predictions, level),
    }


def main() -> None:
    limits = params.load("evaluate")
    model, test = Model.load(Path("models/model.onnx")), sampling.judged(TEST)
    about = model.description
    predictions = model.predict(to_matrix(test, about.columns))
    judged = judge(model, test, predictions, limits)
    data = draw(judged, test["row"], test[about.schema.target.name].to_numpy(float), predictions, limits.level)
    families = plots.families({path.stem: files.read_json(path) for path in FAMILIES.glob("*.json")})
    plots.save({**data, "families": families})
    files.write_json(Path("metrics/evaluate.json"), judged.metrics)
    files.write_text(Path("models/model_card.md"), card.render(about, judged, limits.level))
    print(findings.summary(judged.metrics))


if __name__ == "__main__":
    errors.run(main)
