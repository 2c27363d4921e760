"""Drift: do live rows still look like the training rows, and does the model suffer?

Reads models/reference.parquet, models/model.onnx, models/importance.json, data/live, data/schema.yaml, params `drift`;
writes metrics/drift.json, metrics/drift.html and metrics/plots/drift.csv. How it decides: docs/drift.md.
"""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.contract import errors, paths
from pipeline.contract.onnx_model import Model
from pipeline.contract.params import Drift
from pipeline.contract.params import load as load_params
from pipeline.contract.schema import Schema
from pipeline.contract.schema import load as load_schema
from pipeline.drift import comparable_rows, encoding, live_rows, metrics, page, report, windows
from pipeline.drift.decision import decide
from pipeline.drift.live_rows import Live
from pipeline.drift.reference import prepare
from pipeline.drift.sketch import Predict
from pipeline.tables import atomic_files, parquet, plot_data


def compare(
    reference: pd.DataFrame,
    live: pd.DataFrame | Live,
    schema: Schema,
    params: Drift,
    *,
    importance: dict[str, float] | None = None,
    predict: Predict | None = None,
) -> dict[str, Any]:
    """Compare live rows with the reference and return the report as JSON-ready data. Parts that need absent columns are
    left out.

    `verdict`, from good to bad: `insufficient` (too few live rows), `none`, `data_quality` (missing, unusable or stuck
    values), `shifted` (a distribution, a correlation or the predictions), `risk` (a shift that the model is expected to
    suffer from, or errors that have grown). `drift_detected` is true for the last three. `retrain` is true for `risk`,
    and for `shifted` with `drift.retrain_on_shift` where the model depends on what moved; never where values are
    `broken`. Live rows with a time are judged in windows of it.

    `importance`: the increase of RMSE by shuffling each feature that the model takes, 0 where it does not depend on it.
    `predict`: predicts live rows; without it their column `prediction` counts, if there is one.
    """
    rows = live if isinstance(live, Live) else live_rows.of_table(live)
    kept = comparable_rows.comparable(rows, reference, schema)
    known = [column.name for column in schema.features if column.name in reference]
    names = [name for name in known if name in rows.columns]
    predict = predict if names else None  # nothing to predict from
    prepared = prepare(reference, names, schema, importance, predict)
    found = windows.read(kept or rows, prepared.anchors, schema, params.window_rows, params.min_rows, predict)
    if not found.windows or not names:
        about = report.insufficient(found, len(reference), known, params)
    else:
        about = report.build(prepared, found, decide(prepared, found, schema, params), params)
    return {**about, "summary": about["summary"] + comparable_rows.NOTE} if kept else about


def main() -> None:
    schema, model = load_schema(), Model.load(paths.MODEL)
    reference, live = parquet.read(paths.REFERENCE), live_rows.of_folder(paths.LIVE, schema)

    # Live rows are predicted here even where the log has a prediction: that may be an older model's.
    found = compare(
        reference,
        live,
        schema,
        load_params(Drift),
        importance=_importance(),
        predict=lambda rows: _predict(model, rows),
    )

    plot_data.save({"drift": metrics.plot_data(found)})
    atomic_files.write_text(paths.DRIFT_PAGE, page.render(found))
    atomic_files.write_json(paths.DRIFT_METRICS, metrics.metrics(found))
    print(f"drift: {found['verdict']} ({found['n_live']} live rows): {found['summary']}")


def _importance() -> dict[str, float]:
    """Read the increase of RMSE by feature; 0 where it is within the spread of one shuffle."""
    found = atomic_files.read_json(paths.IMPORTANCE)
    return {name: f["increase"] if f["increase"] > f["spread"] else 0.0 for name, f in found.items()}


def _predict(model: Model, rows: pd.DataFrame) -> np.ndarray:
    return model.predict(encoding.to_matrix(rows, model.description.columns))[:, 0]


if __name__ == "__main__":
    errors.run_command(main)
