"""The drift report as JSON-ready data: the verdict, and what the page and the metrics show."""

import math
from typing import Any

import numpy as np

from pipeline.contract.params import Drift
from pipeline.drift import sentences, two_sample_tests
from pipeline.drift.alarms import TestResult
from pipeline.drift.decision import JudgedWindow, Judgement, verdict
from pipeline.drift.reference import Reference
from pipeline.drift.sketch import Anchor
from pipeline.drift.windows import Windows


def insufficient(live: Windows, n_reference: int, names: list[str], params: Drift) -> dict[str, Any]:
    """The report where there are too few live rows to judge."""
    wanted = f"{params.window_rows} with a time" if live.timed else f"{params.min_rows}"
    return {
        "verdict": "insufficient",
        "drift_detected": False,
        "retrain": False,
        "summary": f"{live.rows} live rows, too few: {wanted} are needed",
        "alpha": params.alpha,
        "n_reference": n_reference,
        "n_live": live.rows,
        "n_untimed": live.untimed,
        "features": {name: {} for name in names},
    }


def build(
    reference: Reference, live: Windows, judgement: Judgement, importance: dict[str, float] | None, params: Drift
) -> dict[str, Any]:
    """The report of live rows that were judged."""
    found = _details(reference, judgement, importance, params.alpha)
    return {
        **verdict(judgement, params),
        "summary": _summary(found["findings"], live.rows),
        "n_reference": len(reference.table),
        "n_live": live.rows,
        "n_untimed": live.untimed,
        "alpha": params.alpha,
        **found,
    }


def _details(
    reference: Reference, judgement: Judgement, importance: dict[str, float] | None, alpha: float
) -> dict[str, Any]:
    features = {a.column.name: _feature(a, reference, judgement, importance, alpha) for a in reference.anchors}
    alarmed = [test for test in judgement.tests if test.alarm]
    told = sorted(alarmed, key=lambda test: sentences.weight(test, importance), reverse=True)
    findings = [sentences.sentence(test, features, importance) for test in told]
    single = {
        test.kind: _plain(test) for test in judgement.tests if test.kind in ("joint", "prediction", "performance")
    }
    first = next((window for window in judgement.windows if window.alarms), None)
    timed = bool(judgement.windows[0].window.first)
    return {
        "findings": findings,
        "moved": list(dict.fromkeys(test.subject for test in told)),
        "features": features,
        **single,
        "expected_loss": judgement.expected,
        "began": {"first": first.window.first, "last": first.window.last} if first and timed else None,
        "timeline": [_window(each) for each in judgement.windows] if timed else [],
    }


def _window(each: JudgedWindow) -> dict[str, Any]:
    """One bar of the timeline. `largest` and `effect`: the feature whose distribution moved most, alarm or not."""
    values = [test for test in each.tests if test.kind == "values"] or each.tests
    largest = max(values, key=lambda test: abs(test.effect), default=None)
    return {
        "first": each.window.first,
        "last": each.window.last,
        "rows": each.window.sketch.rows,
        "alpha": each.alpha,
        "largest": largest.subject if largest else None,
        "effect": largest.effect if largest else 0.0,
        "alarms": sorted({test.subject for test in each.alarms}),
    }


def _feature(
    anchor: Anchor, reference: Reference, judgement: Judgement, importance: dict[str, float] | None, alpha: float
) -> dict[str, Any]:
    name = anchor.column.name
    sides = ours, theirs = reference.sketch.counts[name], judgement.sketch.counts[name]
    found: dict[str, Any] = {
        "importance": None if importance is None else importance.get(name, 0.0),
        **{test.kind: _plain(test) for test in judgement.tests if test.subject == name},
        "rates": {
            "missing": [side.missing / max(side.rows, 1) for side in sides],
            "invalid": [(side.unusable + side.outside) / max(side.rows, 1) for side in sides],
        },
        "beyond": None if anchor.coded else [n / max(theirs.known, 1) for n in (theirs.below, theirs.above)],
        "psi": None,
        "mean_shift": None,
        "spread_ratio": None,
        "histogram": _histogram(anchor, [side.at if anchor.coded else side.bins for side in sides]),
    }
    if ours.known and theirs.known and not anchor.coded:
        value, limit = two_sample_tests.psi(ours, theirs, alpha)
        before, now = reference.table[name], judgement.sketch.sample[name]
        spread = float(before.std(ddof=0))
        found |= {"psi": {"value": value, "limit": limit}}
        if spread > 0 and now.notna().any():
            found["mean_shift"] = float((now.mean() - before.mean()) / spread)
            found["spread_ratio"] = float(now.std(ddof=0)) / spread
    return found


def _histogram(anchor: Anchor, sides: list[np.ndarray]) -> dict[str, Any]:
    """Shares of both sides; `labels` of codes, or `edges` between the bins, of which the outer ones are open."""
    shares = [(side / max(side.sum(), 1)).tolist() for side in sides]
    if not anchor.coded:
        return {"edges": anchor.edges.tolist(), "reference": shares[0], "live": shares[1]}
    labels = list(anchor.column.categories) or ["false", "true"]
    return {"labels": labels, "reference": shares[0], "live": shares[1]}


def _plain(test: TestResult) -> dict[str, Any]:
    numbers = {"effect": test.effect, "floor": test.floor, "p_value": test.p_value, "p_adjusted": test.p_adjusted}
    about = {"alarm": test.alarm, **({"subject": test.subject} if test.kind == "joint" else {}), **dict(test.detail)}
    return {key: value for key, value in {**numbers, **about}.items() if not _odd(value)}


def _odd(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _summary(findings: list[str], rows: int) -> str:
    if not findings:
        return f"nothing moved beyond chance in {rows} live rows"
    return findings[0] + (f"; and {len(findings) - 1} more" if len(findings) > 1 else "")
