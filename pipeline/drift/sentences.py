"""Sentences about what a test found: what moved, how far, and whether the model depends on it."""

from typing import Any

from pipeline.drift.alarms import TestResult


def sentence(test: TestResult, features: dict[str, dict[str, Any]], importance: dict[str, float] | None) -> str:
    """Say what an alarm means; `features`: the details of the report by feature."""
    said = {"values": _values, "missing": _rate, "invalid": _rate, "constant": _constant}
    if test.kind in said:
        moved = said[test.kind](test, features[test.subject])
        return f"{moved}; {_dependence(test.subject, importance)}" if importance is not None else moved
    about = dict(test.detail)
    if test.kind == "joint":
        moved = f"{test.subject} no longer go together as they did (rank correlation {about['reference']:.2f}, "
        return f"{moved}now {about['live']:.2f})"
    if test.kind == "prediction":
        return f"the predictions {_moved(float(about['moved']))} (KS {test.effect:.2f})"
    return f"live errors: RMSE {about['live']:.3g}, {1 + test.effect:.2f} times that of the reference"


def weight(test: TestResult, importance: dict[str, float] | None) -> tuple[bool, float, float]:
    """The order of alarms, largest first: errors, then importance times effect."""
    names = [str(v) for k, v in test.detail if k in ("first", "second")] if test.kind == "joint" else [test.subject]
    most = max((importance or {}).values(), default=1.0)
    # A pair counts as its less important feature: a feature that changed takes its pairs with it.
    matters = most if test.kind == "prediction" else min((importance or {}).get(name, 0.0) for name in names)
    return test.kind == "performance", matters * abs(test.effect), abs(test.effect)


def _values(test: TestResult, detail: dict[str, Any]) -> str:
    if detail["mean_shift"] is None and "labels" not in detail["histogram"]:
        return f"{test.subject} no longer has the one value that it had (KS {test.effect:.2f})"
    if detail["mean_shift"] is None:
        return f"{test.subject}: {_share(detail)} (Cramer's V {test.effect:.2f})"
    if abs(detail["mean_shift"]) < 0.1 and detail["spread_ratio"] is not None:
        return f"{test.subject} spreads {_two(detail['spread_ratio'])} times as wide (KS {test.effect:.2f})"
    return f"{test.subject} {_moved(detail['mean_shift'])} (KS {test.effect:.2f})"


def _share(detail: dict[str, Any]) -> str:
    bars = detail["histogram"]
    change = [now - before for before, now in zip(bars["reference"], bars["live"], strict=True)]
    most = max(range(len(change)), key=lambda k: abs(change[k]))
    return f"the share of {bars['labels'][most]} went from {bars['reference'][most]:.0%} to {bars['live'][most]:.0%}"


def _rate(test: TestResult, detail: dict[str, Any]) -> str:
    what = "missing" if test.kind == "missing" else "unusable or out of bounds"
    before, now = detail["rates"][test.kind]
    return f"{test.subject}: {now:.0%} of the values are {what}, before {before:.0%}"


def _constant(test: TestResult, detail: dict[str, Any]) -> str:
    return f"{test.subject} has one value only"


def _moved(shift: float) -> str:
    return f"{'rose' if shift > 0 else 'fell'} by {_two(abs(shift))} standard deviations"


def _dependence(name: str, importance: dict[str, float] | None) -> str:
    cost = (importance or {}).get(name, 0.0)
    return f"shuffling it costs the model {_two(cost)} of RMSE" if cost > 0 else "the model does not depend on it"


def _two(number: float) -> str:
    """Two significant digits, also where the last one is 0: `4.0` says more than `4`."""
    return f"{number:#.2g}".removesuffix(".")
