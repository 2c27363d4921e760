"""The decision on drift: the tests of every window of live rows, and the verdict that follows from them."""

from functools import reduce
from operator import add
from typing import Any, NamedTuple

from pipeline.contract.params import Drift
from pipeline.contract.schema import Schema
from pipeline.drift import alarms, sentences
from pipeline.drift.alarms import TestResult
from pipeline.drift.expected_loss import expected_loss
from pipeline.drift.reference import Reference
from pipeline.drift.sketch import Sketch
from pipeline.drift.windows import Window, Windows


class JudgedWindow(NamedTuple):
    """A window of live rows, the alpha that its tests may spend, and their results."""

    window: Window
    alpha: float
    tests: list[TestResult]

    @property
    def alarms(self) -> list[TestResult]:
        return [test for test in self.tests if test.alarm]


class Decision(NamedTuple):
    """The verdict with its reasons. `windows`: every window, in order. `sketch`, `tests` and `expected_loss` are about
    the rows that the report shows, from the first window with an alarm on; a test alarms where it did in a window.
    `broken`: another share of the values is missing, unusable or out of bounds, a feature is stuck although nothing
    shifted, or a time cannot be read. Nothing is learned from such rows."""

    verdict: str
    retrain: bool
    broken: bool
    windows: list[JudgedWindow]
    sketch: Sketch
    tests: list[TestResult]
    expected_loss: dict[str, Any] | None


def decide(reference: Reference, live: Windows, schema: Schema, params: Drift) -> Decision:
    """Test every window, and for the report all rows from the first window that alarms on."""
    windows = []
    for window in live.windows:
        alpha = params.alpha * window.share
        windows.append(JudgedWindow(window, alpha, alarms.run(reference, window.sketch, schema, params, alpha)))
    shown, tests = windows[0].window.sketch, windows[0].tests
    if live.timed:
        start = next((place for place, judged in enumerate(windows) if judged.alarms), 0)
        shown = reduce(add, [judged.window.sketch for judged in windows[start:]] + ([live.rest] if live.rest else []))
        tests = [_with_alarm(test, windows) for test in alarms.run(reference, shown, schema, params, params.alpha)]
    loss = expected_loss(reference, shown)
    alarmed = {test.family for judged in windows for test in judged.alarms}
    # Where values are broken or stuck, predictions that move alone are a consequence and no shift.
    faulty = bool(alarmed & {"data_quality", "constant"})
    shifts = {"covariate", "joint"} if faulty else {"covariate", "joint", "prediction"}
    shifted = bool(alarmed & shifts)
    # Of the weighted estimate: the learned one alarms too often where the error did not rise (docs/drift.md).
    risk = "performance" in alarmed or (shifted and (loss or {}).get("low", 0.0) > 1 + params.min_risk)
    verdict = "risk" if risk else "shifted" if shifted else "data_quality" if alarmed or live.fault else "none"
    broken = verdict == "data_quality" or "data_quality" in alarmed or bool(live.fault)
    moved = [test for judged in windows for test in judged.alarms if test.family in shifts]
    # What the model does not depend on is no reason to learn.
    matters = reference.importance is None or any(sentences.weight(test, reference)[1] > 0 for test in moved)
    retrain = not broken and (risk or (params.retrain_on_shift and shifted and matters))
    return Decision(verdict, retrain, broken, windows, shown, tests, loss)


def _with_alarm(test: TestResult, windows: list[JudgedWindow]) -> TestResult:
    """Return the test of all rows that the report shows, with an alarm where a window had it. Where the effect is too
    small in all rows, the window's own test stands in."""
    for alarm in (alarm for judged in windows for alarm in judged.alarms):
        if alarm.kind == test.kind and (alarm.subject == test.subject or alarm.kind in alarms.SINGLE):
            return test._replace(alarm=True) if abs(test.effect) >= test.floor else alarm
    return test._replace(alarm=False)
