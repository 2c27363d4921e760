"""The metrics and the plot data of a drift report: flat and small, because Git keeps every version."""

from typing import Any

import pandas as pd

LISTED = 20  # features and findings


def metrics(report: dict[str, Any]) -> dict[str, Any]:
    """The content of metrics/drift.json: as small for 500 features as for one. `dvc metrics diff` skips the lists."""
    features = report["features"]
    loss, effects = (
        report.get("expected_loss") or {},
        {n: f["values"]["effect"] for n, f in features.items() if "values" in f},
    )
    largest = max(effects, key=lambda name: abs(effects[name]), default=None)
    single = {f"{kind}_effect": report.get(kind, {}).get("effect") for kind in ("joint", "prediction", "performance")}
    return {
        **{key: report[key] for key in ("verdict", "drift_detected", "retrain", "n_reference", "n_live", "n_untimed")},
        "n_moved": len(report.get("moved", [])),
        "largest_shift": largest,
        "largest_shift_effect": effects.get(largest),
        **single,
        **{f"expected_{key}": loss.get(key) for key in ("ratio", "low", "high", "beyond")},
        "began": (report.get("began") or {}).get("first"),
        "moved": report.get("moved", [])[:LISTED],
        "findings": report.get("findings", [])[:LISTED] or [report["summary"]],
    }


def plot_data(report: dict[str, Any]) -> pd.DataFrame:
    """A row a feature, the largest change first: `effect` (KS distance or Cramer's V), its `floor` and `alarm`.
    Features without a test have empty cells, because DVC shows no plot without rows."""
    found = [(name, feature.get("values", {})) for name, feature in report["features"].items()]
    found = sorted(found, key=lambda item: -abs(item[1].get("effect", 0.0)))[:LISTED]
    rows = [(name, *(test.get(key) for key in ("effect", "floor", "alarm"))) for name, test in found]
    return pd.DataFrame(rows, columns=["feature", "effect", "floor", "alarm"])
