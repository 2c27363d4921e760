"""The metrics and the plot data of a drift report: flat and small, because Git keeps every version."""

from typing import Any

import pandas as pd

from pipeline.drift import alarms
from pipeline.tables import digits

LISTED = 20  # features and findings


def metrics(report: dict[str, Any]) -> dict[str, Any]:
    """Return the content of metrics/drift.json, as small for 500 features as for one. `dvc metrics diff` skips its
    lists."""
    loss = report.get("expected_loss") or {}
    effects = {name: f["values"]["effect"] for name, f in report["features"].items() if "values" in f}
    largest = max(effects, key=lambda name: abs(effects[name]), default=None)
    copied = ("verdict", "drift_detected", "retrain", "broken", "n_reference", "n_live", "n_untimed")
    figures = {
        **{key: report[key] for key in copied},
        "n_moved": len(report.get("moved", [])),
        "largest_shift": largest,
        "largest_shift_effect": effects.get(largest),
        **{f"{kind}_effect": report.get(kind, {}).get("effect") for kind in alarms.SINGLE},
        **{f"expected_{key}": loss.get(key) for key in ("ratio", "low", "high", "beyond")},
        **{f"expected_learned_{key}": (loss.get("learned") or {}).get(key) for key in ("ratio", "low", "high")},
        "began": (report.get("began") or {}).get("first"),
        "moved": report.get("moved", [])[:LISTED],
        "findings": report.get("findings", [])[:LISTED] or [report["summary"]],
    }
    return dict(digits.significant(figures))


def plot_data(report: dict[str, Any]) -> pd.DataFrame:
    """Return a row a feature, the largest change first: `effect` (KS distance or Cramer's V), its `floor` and `alarm`.
    Features without a test have empty cells, because DVC shows no plot without rows."""
    tests = [{"feature": name, **feature.get("values", {})} for name, feature in report["features"].items()]
    tests.sort(key=lambda test: -abs(test.get("effect", 0.0)))
    return pd.DataFrame(tests[:LISTED], columns=["feature", "effect", "floor", "alarm"])
