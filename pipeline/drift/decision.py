"""The decision on drift: the tests of every window of live rows, and the verdict that follows from them."""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.contract.params import Drift
from pipeline.contract.schema import Schema
from pipeline.drift import alarms, alpha_spending, expected_loss
from pipeline.drift.alarms import TestResult
from pipeline.drift.reference import Reference
from pipeline.drift.sketch import Sketch
from pipeline.drift.windows import Window, Windows

# Numbers of the features, codes of bools and categories, to predictions [rows].
Predict = Callable[[pd.DataFrame], np.ndarray]

SHIFTS = ("covariate", "joint", "prediction")
BROKEN = ("data_quality", "constant")


class JudgedWindow(NamedTuple):
    """A window of live rows, the share of alpha that its tests may spend, and their results."""

    window: Window
    alpha: float
    tests: list[TestResult]

    @property
    def alarms(self) -> list[TestResult]:
        return [test for test in self.tests if test.alarm]


class Judgement(NamedTuple):
    """All that the tests found. `windows`: every window, in order. `sketch` and `tests` are about the rows that the
    report shows, from the first window with an alarm on; a test alarms where it did in one of the windows. `expected`:
    the result of `expected_loss.expected_loss`."""

    windows: list[JudgedWindow]
    sketch: Sketch
    tests: list[TestResult]
    expected: dict[str, Any] | None


def gather(
    reference: Reference,
    live: Windows,
    schema: Schema,
    params: Drift,
    importance: dict[str, float] | None,
    predict: Predict | None,
) -> Judgement:
    """Test every window, and for the report all rows from the first window that alarms on."""
    judged = []
    for number, window in enumerate(live.windows, start=1):
        alpha = params.alpha * (alpha_spending.share(number) if live.timed else 1.0)
        known = _predicted(window.sketch, predict)
        tests = alarms.run(reference, known, schema, params, alpha)
        judged.append(JudgedWindow(window._replace(sketch=known), alpha, tests))
    shown, tests = judged[0].window.sketch, judged[0].tests
    if live.timed:
        start = next((place for place, each in enumerate(judged) if each.alarms), 0)
        rest = [_predicted(live.rest, predict)] if live.rest else []
        shown = reduce(add, [*(each.window.sketch for each in judged[start:]), *rest])
        tests = [_alarmed(test, judged) for test in alarms.run(reference, shown, schema, params, params.alpha)]
    return Judgement(judged, shown, tests, expected_loss.expected_loss(reference, shown, importance))


def verdict(judgement: Judgement, params: Drift) -> dict[str, Any]:
    """The verdict, whether it is drift, and whether it asks for a retrain."""
    alarmed = {test.family for each in judgement.windows for test in each.alarms}
    # Where values are broken, predictions that move alone are a consequence and no shift.
    causes = ("covariate", "joint") if alarmed & set(BROKEN) else SHIFTS
    moved = bool(alarmed & set(causes))
    rose = moved and (judgement.expected or {}).get("low", 0.0) > 1 + params.min_risk
    at_risk = rose or "performance" in alarmed
    word = "risk" if at_risk else "shifted" if moved else "data_quality" if alarmed else "none"
    return {"verdict": word, "drift_detected": bool(alarmed), "retrain": at_risk or (params.retrain_on_shift and moved)}


def _alarmed(test: TestResult, judged: list[JudgedWindow]) -> TestResult:
    """The test of all rows that the report shows, with an alarm where one of the windows had it. Where the effect is
    too small in the whole, the window's own figures stand in."""
    same = (
        t for each in judged for t in each.alarms if t.kind == test.kind and (t.subject == test.subject or test.one)
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
