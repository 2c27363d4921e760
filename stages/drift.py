"""Drift: do live rows still look like the training rows, and does the model suffer?

Reads models/reference.parquet, models/model.onnx, models/importance.json, data/live, data/schema.yaml, params `drift`;
writes metrics/drift.json, metrics/drift.html and metrics/plots/drift.csv. How it decides: docs/drift.md.
"""

from typing import Any

import pandas as pd

from pipeline.contract import errors, paths
from pipeline.contract.onnx_model import Model
from pipeline.contract.params import Drift
from pipeline.contract.params import load as load_params
from pipeline.contract.schema import Schema
from pipeline.contract.schema import load as load_schema
from pipeline.drift import decision, live_rows, metrics, page, report, windows
from pipeline.drift import reference as references
from pipeline.drift.decision import Predict
from pipeline.drift.live_rows import Live
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

    `verdict`, from good to bad: `insufficient` (too few live rows), `none`, `data_quality` (missing or unusable
    values), `shifted` (a distribution, a correlation or the predictions), `risk` (a shift that the model is expected to
    suffer from, or errors that have grown). `drift_detected` for the last three; `retrain` where risk rose, performance
    fell, or a shift is enough (`drift.retrain_on_shift`). With a column of time the rows are judged in windows of it.

    `importance`: increase of RMSE by shuffling each feature that the model takes, 0 where it does not depend on it;
    `predict`: makes the predictions of live rows, which are otherwise those of a column `prediction`.
    """
    rows = live if isinstance(live, Live) else live_rows.of_table(live)
    known = [column.name for column in schema.features if column.name in reference]
    names = [name for name in known if name in rows.columns]
    prepared = references.prepare(reference, names, schema, importance)
    found = windows.read(rows, prepared.anchors, schema, params.window_rows, params.min_rows)
    if not found.windows or not names:
        return report.insufficient(found, len(reference), known, params)
    judgement = decision.gather(prepared, found, schema, params, importance, predict)
    return report.build(prepared, found, judgement, importance, params)


def main() -> None:
    table_schema, limits, model = load_schema(), load_params(Drift), Model.load(paths.MODEL)
    # Predicted here even where the log has a prediction: that may be an older model's, and residuals are this one's.
    found = compare(
        parquet.read(paths.REFERENCE),
        live_rows.of_folder(paths.LIVE, table_schema),
        table_schema,
        limits,
        importance=_importance(),
        predict=_predict(model),
    )
    plot_data.save({"drift": metrics.plot_data(found)})
    atomic_files.write_text(paths.DRIFT_PAGE, page.render(found))
    atomic_files.write_json(paths.DRIFT_METRICS, metrics.metrics(found))
    print(f"drift: {found['verdict']} ({found['n_live']} live rows): {found['summary']}")


def _importance() -> dict[str, float]:
    """Increase of RMSE by feature, 0 where it is within the spread of one shuffle."""
    found = atomic_files.read_json(paths.IMPORTANCE)
    return {name: f["increase"] if f["increase"] > f["spread"] else 0.0 for name, f in found.items()}


def _predict(model: Model) -> Predict:
    return lambda rows: model.predict(rows[[c.name for c in model.description.columns]].to_numpy(float))[:, 0]


if __name__ == "__main__":
    errors.run_command(main)
