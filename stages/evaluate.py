"""Evaluate: judge the selected model, as it will be served, on the test split. Nothing is chosen here.

Reads models/model.onnx, data/clean/test.parquet, metrics/train, metrics/select.json, params `evaluate`; writes
metrics/evaluate.json, the plot data in metrics/plots, models/importance.json (which drift weighs features by) and
models/model_card.md.
"""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.contract import errors, params, paths
from pipeline.contract.columns import positions
from pipeline.contract.number_text import figure
from pipeline.contract.onnx_model import Model
from pipeline.contract.params import Evaluate
from pipeline.evaluation import bootstrap, metrics, model_card, permutation_importance, plots, slices
from pipeline.evaluation.model_card import Evaluation
from pipeline.evaluation.permutation_importance import Importance
from pipeline.tables import atomic_files, digits, plot_data, sampling
from pipeline.tables.feature_matrix import to_matrix
from pipeline.tables.plot_data import PlotData

# Importance predicts these rows once for each feature and shuffle, which would take minutes for all of a large table.
# Above so many predictions there are fewer shuffles, but no fewer than these.
IMPORTANCE_ROWS, PREDICTIONS, FEWEST_REPEATS = 2_000, 100_000, 5


def judge(model: Model, test: pd.DataFrame, predictions: np.ndarray, limits: Evaluate) -> Evaluation:
    """Judge the model on typed rows of the test split; `predictions` [rows, 3] are its answers to them."""
    about = model.description
    actual = test[about.schema.target.name].to_numpy(float)
    intervals = bootstrap.intervals(actual, predictions, limits)
    low, high = intervals["rmse"] or (None, None)
    predicted, lower, upper = predictions.T
    figures = {
        "family": about.family,
        **metrics.point_scores(actual, predicted),
        **metrics.ratio_study(actual, predicted),
        "rmse_ci_low": low,
        "rmse_ci_high": high,
        "cv_rmse": about.training.cv_rmse,
        "baseline_rmse": metrics.rmse(actual, np.full_like(actual, about.training.target_median)),
        **metrics.interval_scores(actual, lower, upper),
        "n_train": about.training.rows,
        "n_test": len(actual),
    }
    return Evaluation(
        digits.significant(figures),
        digits.significant(intervals),
        slices.measure(test, about.schema, predictions, limits),
        permute(model, test, limits),
    )


def permute(model: Model, test: pd.DataFrame, limits: Evaluate) -> list[Importance]:
    """Return the importance of each feature for the served model, on at most IMPORTANCE_ROWS test rows."""
    about = model.description
    part = test.iloc[sampling.sample(test["row"], IMPORTANCE_ROWS)]
    repeats = max(FEWEST_REPEATS, PREDICTIONS // (len(part) * len(about.columns)))
    return permutation_importance.permute(
        lambda features: model.predict(features)[:, 0],
        to_matrix(part, about.columns),
        part[about.schema.target.name].to_numpy(float),
        positions(about.columns),
        min(limits.importance_repeats, repeats),
        limits.seed,
    )


def draw(judged: Evaluation, numbers: pd.Series, actual: np.ndarray, predictions: np.ndarray, level: float) -> PlotData:
    """Return the plot data by name; `numbers` are those of the test rows, `level` that of the intervals of coverage."""
    return {
        **plots.points(numbers, actual, predictions[:, 0]),
        "slices": slices.plot_data(judged.slices),
        "importance": permutation_importance.plot_data(judged.importance),
        "coverage": plots.coverage(actual, predictions, level),
    }


def summary(figures: dict[str, Any]) -> str:
    """Return the line for the terminal."""
    low, high = figures["rmse_ci_low"], figures["rmse_ci_high"]
    bounds = "" if low is None else f" [{figure(low)}, {figure(high)}]"
    return f"{figures['family']}: rmse {figure(figures['rmse'])}{bounds}"


def main() -> None:
    limits, model, test = params.load(Evaluate), Model.load(paths.MODEL), sampling.judged_rows(paths.TEST)
    families = {path.stem: atomic_files.read_json(path) for path in paths.TRAIN_METRICS.glob("*.json")}
    selected = atomic_files.read_json(paths.SELECT_METRICS)

    about = model.description
    predictions = model.predict(to_matrix(test, about.columns))
    judged = judge(model, test, predictions, limits)
    data = draw(judged, test["row"], test[about.schema.target.name].to_numpy(float), predictions, limits.level)

    plot_data.save({**data, "families": plots.families({**families, selected["family"]: selected})})
    atomic_files.write_json(paths.IMPORTANCE, permutation_importance.as_json(judged.importance))
    atomic_files.write_json(paths.EVALUATE_METRICS, judged.metrics)
    atomic_files.write_text(paths.MODEL_CARD, model_card.render(about, judged, limits.level))
    print(summary(judged.metrics))


if __name__ == "__main__":
    errors.run_command(main)
