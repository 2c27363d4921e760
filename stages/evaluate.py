"""Evaluate: judge the selected model, as it will be served, on the test split. Nothing is chosen here.

Reads models/model.onnx and data/clean/test.parquet, params `evaluate`; writes metrics/evaluate.json and
models/model_card.md.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages import card, errors, files, params, scores, tables
from stages.matrix import to_matrix
from stages.onnx_file import Model
from stages.params import Evaluate

TEST = Path("data/clean/test.parquet")


def judge(model: Model, test: pd.DataFrame, params: Evaluate) -> dict[str, Any]:
    """The metrics of the model on the typed rows of the test split; RMSE's interval is a seeded bootstrap of rows."""
    about = model.description
    actual = test[about.schema.target.name].to_numpy(float)
    predicted, lower, upper = model.predict(to_matrix(test, about.columns)).T
    tail = (1 - params.level) / 2
    resampled = scores.resampled_rmse(np.square(predicted - actual), params.bootstrap_samples, params.seed)
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return {
        "family": about.family,
        **scores.point_scores(actual, predicted),
        **scores.ratio_study(actual, predicted),
        "rmse_ci_low": float(low),
        "rmse_ci_high": float(high),
        "cv_rmse": about.training.cv_rmse,
        "baseline_rmse": scores.rmse(actual, np.full_like(actual, about.training.target_median)),
        **scores.interval_scores(actual, lower, upper),
        "n_train": about.training.rows,
        "n_test": len(actual),
    }


def main() -> None:
    limits = params.load("evaluate")
    model = Model.load(Path("models/model.onnx"))
    metrics = judge(model, tables.read(TEST), limits)
    files.write_json(Path("metrics/evaluate.json"), metrics)
    files.write_text(Path("models/model_card.md"), card.render(model.description, metrics, limits.level))
    print(
        f"{metrics['family']}: rmse {metrics['rmse']:.3f} [{metrics['rmse_ci_low']:.3f}, {metrics['rmse_ci_high']:.3f}]"
    )


if __name__ == "__main__":
    errors.run(main)
