"""The drift report as JSON-ready data: the verdict, and what the page and the metrics show."""

import math
from typing import Any

import numpy as np

from pipeline.contract import moments
from pipeline.contract.params import Drift
from pipeline.contract.wording import counted
from pipeline.drift import alarms, sentences, two_sample_tests
from pipeline.drift.alarms import TestResult
from pipeline.drift.decision import Decision, JudgedWindow
from pipeline.drift.reference import Reference
from pipeline.drift.sketch import Anchor
from pipeline.drift.windows import Windows


def insufficient(live: Windows, n_reference: int, names: list[str], params: Drift) -> dict[str, Any]:
    """Return the report where there are too few live rows to judge; an unreadable time is told all the same."""
    needed = f"{params.window_rows} with a time" if live.timed else f"{params.min_rows}"
    too_few = f"{counted(live.rows, 'live row')}, too few: {needed} are needed"
    return {
        "verdict": "data_quality" if live.fault else "insufficient",
        "drift_detected": bool(live.fault),
        "retrain": False,
        "broken": bool(live.fault),
        "summary": f"{live.fault}; {too_few}" if live.fault else too_few,
        "alpha": params.alpha,
        "n_reference": n_reference,
        "n_live": live.rows,
        "n_untimed": live.untimed,
        "features": {name: {} for name in names},
    }


def build(reference: Reference, live: Windows, decision: Decision, params: Drift) -> dict[str, Any]:
    """Return the report of live rows that were judged."""
    features = {a.column.name: _feature(a, reference, decision, params.alpha) for a in reference.anchors}
    alarmed = [test for test in decision.tests if test.alarm]
    alarmed.sort(key=lambda test: sentences.weight(test, reference), reverse=True)
    findings = [sentences.sentence(test, features, reference) for test in alarmed]
    findings += [live.fault] if live.fault else []
    first = next((judged.window for judged in decision.windows if judged.alarms), None)
    return {
        "verdict": decision.verdict,
        "drift_detected": decision.verdict != "none",
        "retrain": decision.retrain,
        "broken": decision.broken,
        "summary": sentences.summary(findings, live.rows),
        "alpha": params.alpha,
        "n_reference": len(reference.table),
        "n_live": live.rows,
        "n_untimed": live.untimed,
        "findings": findings,
        "moved": list(dict.fromkeys(test.subject for test in alarmed)),
        "features": features,
        **{test.kind: _figures(test) for test in decision.tests if test.kind in alarms.SINGLE},
        "expected_loss": decision.expected_loss,
        "began": {"first": first.first, "last": first.last} if first and live.timed else None,
        "timeline": [_window(judged) for judged in decision.windows] if live.timed else [],
    }


def _window(judged: JudgedWindow) -> dict[str, Any]:
    """Return one bar of the timeline. `largest` and `effect`: the feature whose distribution changed most."""
    values = [test for test in judged.tests if test.kind == "values"] or judged.tests
    largest = max(values, key=lambda test: abs(test.effect), default=None)
    return {
        "first": judged.window.first,
        "last": judged.window.last,
        "rows": judged.window.sketch.rows,
        "alpha": judged.alpha,
        "largest": largest.subject if largest else None,
        "effect": largest.effect if largest else 0.0,
        "alarms": sorted({test.subject for test in judged.alarms}),
    }


def _feature(anchor: Anchor, reference: Reference, decision: Decision, alpha: float) -> dict[str, Any]:
    name = anchor.column.name
    sides = ours, theirs = reference.sketch.counts[name], decision.sketch.counts[name]
    detail: dict[str, Any] = {
        "importance": None if reference.importance is None else reference.weight(name),
        **{test.kind: _figures(test) for test in decision.tests if test.subject == name},
        "rates": {
            "missing": [side.missing / max(side.rows, 1) for side in sides],
            "invalid": [(side.unusable + side.outside) / max(side.rows, 1) for side in sides],
        },
        "beyond": None if anchor.coded else [count / max(theirs.known, 1) for count in theirs.beyond],
        **dict.fromkeys(("psi", "mean_shift", "spread_ratio")),
        "histogram": _histogram(anchor, [side.bins for side in sides]),
    }
    if ours.known and theirs.known and not anchor.coded:
        value, limit = two_sample_tests.psi(ours, theirs, alpha)
        detail["psi"] = {"value": value, "limit": limit}
        before, now = reference.table[name], decision.sketch.sample[name]
        spread = float(before.std(ddof=0))
        if spread > 0 and now.notna().any():
            detail["mean_shift"] = float((now.mean() - before.mean()) / spread)
            detail["spread_ratio"] = float(now.std(ddof=0)) / spread
    return detail


def _histogram(anchor: Anchor, sides: list[np.ndarray]) -> dict[str, Any]:
    """Return the shares of both sides; `labels` of codes, or `edges` between the bins, of which the outer are open;
    those of dates are text."""
    ours, theirs = ((side / max(side.sum(), 1)).tolist() for side in sides)
    if anchor.coded:
        return {"labels": list(anchor.column.categories) or ["false", "true"], "reference": ours, "live": theirs}
    edges = anchor.edges.tolist()
    if anchor.column.dtype == "datetime":
        edges = [f"{moments.from_days(edge):%Y-%m-%d}" for edge in edges]
    return {"edges": edges, "reference": ours, "live": theirs}


def _figures(test: TestResult) -> dict[str, Any]:
    """Return the figures of a test that JSON can hold."""
    names = ("subject",) if test.kind == "joint" else ()
    figures = {name: getattr(test, name) for name in ("effect", "floor", "p_value", "p_adjusted", "alarm", *names)}
    every = {**figures, **dict(test.detail)}
    return {name: value for name, value in every.items() if not isinstance(value, float) or math.isfinite(value)}
