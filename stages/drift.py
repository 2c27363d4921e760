"""Drift: do live rows still look like the training rows, and does the model suffer?

Reads models/reference.parquet, models/model.onnx, metrics/plots/importance.csv, data/live, data/schema.yaml, params
`drift`; writes metrics/drift.json, metrics/drift.html and metrics/plots/drift.csv. How it decides: docs/drift.md.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages import errors, files, params, plots, schema, tables
from stages.monitoring import alarms, baseline, drift_metrics, drift_page, drift_report, looks, risk, timeline
from stages.monitoring import live as live_rows
from stages.monitoring.alarms import Result
from stages.monitoring.baseline import Reference
from stages.monitoring.drift_report import Evidence, Judged
from stages.monitoring.live import Live
from stages.monitoring.looks import Block, Pool
from stages.monitoring.sketch import Sketch
from stages.onnx_file import Model
from stages.params import Drift
from stages.schema import Schema

IMPORTANCE = Path("metrics/plots/importance.csv")
# Numbers of the features, codes of bools and categories, to predictions [rows].
Predict = Callable[[pd.DataFrame], np.ndarray]


def compare(
    reference: pd.DataFrame,
    live: pd.DataFrame | Live,
    schema: Schema,
    params: Drift,
    *,
    importance: dict[str, float] | None = None,
    predict: Predict | None = None,
) -> dict[str, Any]:
    """The drift report of live rows against the reference, JSON-ready. What needs absent columns is left out.

    `verdict`, from good to bad: `insufficient` (too few live rows), `none`, `data_quality` (missing or unusable
    values), `shifted` (a distribution, a correlation or the predictions), `risk` (a shift that the model is expected to
    suffer from, or errors that have grown). `drift_detected` for the last three; `retrain` where risk rose, performance
    fell, or a shift is enough (`drift.retrain_on_shift`). With a column of time the rows are judged in blocks of it.

    `importance`: increase of RMSE by shuffling each feature that the model takes, 0 where it does not depend on it;
    `predict`: makes the predictions of live rows, which are otherwise those of a column `prediction`.
    """
    rows = live if isinstance(live, Live) else live_rows.of_table(live)
    names = [c.name for c in schema.features if c.name in reference and c.name in rows.columns]
    prepared = baseline.prepare(reference, names, schema, importance)
    pool = looks.read(rows, prepared.anchors, schema, params.window_rows, params.min_rows)
    report: dict[str, Any] = {"n_reference": len(reference), "n_live": pool.rows, "n_untimed": pool.untimed}
    if not pool.blocks or not names:
        wanted = f"{params.window_rows} with a time" if pool.timed else f"{params.min_rows}"
        decided = {"verdict": "insufficient", "drift_detected": False, "retrain": False}
        said = {"summary": f"{pool.rows} live rows, too few: {wanted} are needed", "alpha": params.alpha}
        untested: dict[str, Any] = {c.name: {} for c in schema.features if c.name in reference}
        return {**decided, **said, **report, "features": untested}
    evidence = _evidence(prepared, pool, schema, params, importance, predict)
    decided = drift_report.verdict(evidence, params)
    found = drift_report.details(prepared, evidence, importance, params.alpha)
    return {**decided, "summary": _summary(found["findings"], pool.rows), **report, "alpha": params.alpha, **found}


def _evidence(
    reference: Reference,
    pool: Pool,
    schema: Schema,
    params: Drift,
    importance: dict[str, float] | None,
    predict: Predict | None,
) -> Evidence:
    judged = []
    for number, block in enumerate(pool.blocks, start=1):
        alpha = params.alpha * (timeline.share(number) if pool.timed else 1.0)
        known = _predicted(block.sketch, predict)
        tests = alarms.run(reference, known, schema, params, alpha)
        judged.append(Judged(Block(known, block.first, block.last), alpha, tests))
    shown, tests = judged[0].block.sketch, judged[0].tests
    if pool.timed:
        start = next((place for place, look in enumerate(judged) if look.alarms), 0)
        rest = [_predicted(pool.rest, predict)] if pool.rest else []
        shown = reduce(add, [*(look.block.sketch for look in judged[start:]), *rest])
        tests = [_alarmed(test, judged) for test in alarms.run(reference, shown, schema, params, params.alpha)]
    return Evidence(judged, shown, tests, risk.expected(reference, shown, importance))


def _alarmed(test: Result, judged: list[Judged]) -> Result:
    """The test of all rows that are shown, alarming where a block did: with the block's own figures, where what it saw
    is hard to see in the whole."""
    same = (
        t for look in judged for t in look.alarms if t.kind == test.kind and (t.subject == test.subject or test.one)
    )
    found = next(same, None)
    if found is None:
        return test._replace(alarm=False)
    return test._replace(alarm=True) if abs(test.effect) >= test.floor else found


def _predicted(sketch: Sketch, predict: Predict | None) -> Sketch:
    if predict is None:
        return sketch
    sample, labelled = (part.assign(prediction=predict(part)) for part in (sketch.sample, sketch.labelled))
    return replace(sketch, sample=sample, labelled=labelled)


def _summary(findings: list[str], rows: int) -> str:
    if not findings:
        return f"nothing moved beyond chance in {rows} live rows"
    return findings[0] + (f"; and {len(findings) - 1} more" if len(findings) > 1 else "")


def _importance() -> dict[str, float]:
    """Increase of RMSE by feature, 0 where it is within the spread of one shuffle."""
    table = pd.read_csv(IMPORTANCE, keep_default_na=False)
    return {row.feature: float(row.increase) if row.low > 0 else 0.0 for row in table.itertuples()}


def _predict(model: Model) -> Predict:
    return lambda rows: model.predict(rows[[c.name for c in model.description.columns]].to_numpy(float))[:, 0]


def main() -> None:
    table_schema, limits = schema.load(), params.load("drift")
    rows, model = live_rows.of_folder(live_rows.FOLDER, table_schema), Model.load(Path("models/model.onnx"))
    # Predicted here even where the log has a prediction: that may be an older model's, and residuals are this one's.
    report = compare(
        tables.read(Path("models/reference.parquet")),
        rows,
        table_schema,
        limits,
        importance=_importance(),
        predict=_predict(model),
    )
    plots.save({"drift": drift_metrics.plot_data(report)})
    files.write_text(Path("metrics/drift.html"), drift_page.render(report))
    files.write_json(Path("metrics/drift.json"), drift_metrics.metrics(report))
    print(f"drift: {report['verdict']} ({report['n_live']} live rows): {report['summary']}")


if __name__ == "__main__":
    errors.run(main)
