"""Sentences about alarms: what changed, how far, and whether the model depends on it."""

from typing import Any

from pipeline.contract.number_text import figure
from pipeline.contract.wording import counted
from pipeline.drift.alarms import TestResult
from pipeline.drift.reference import Reference


def summary(findings: list[str], rows: int) -> str:
    """Return the first finding and the number of further ones."""
    more = f"; and {len(findings) - 1} more" if len(findings) > 1 else ""
    return findings[0] + more if findings else f"nothing moved beyond chance in {counted(rows, 'live row')}"


def sentence(test: TestResult, features: dict[str, dict[str, Any]], reference: Reference) -> str:
    """Say what an alarm means; `features`: the details of the report by feature."""
    name, detail = test.subject, dict(test.detail)
    if test.kind == "joint":
        correlations = f"rank correlation {detail['reference']:.2f}, now {detail['live']:.2f}"
        return f"{name} no longer go together as they did ({correlations})"
    if test.kind == "prediction":
        return f"the predictions {_moved(float(detail['moved']))} (KS {test.effect:.2f})"
    if test.kind == "performance":
        return (
            f"live errors: RMSE {figure(float(detail['live']), 3)}, {1 + test.effect:.2f} times that of the reference"
        )
    if test.kind == "constant":
        change = f"{name} has one value only"
    elif test.kind == "values":
        change = _values(test, features[name])
    else:
        before, now = features[name]["rates"][test.kind]
        kind = "missing" if test.kind == "missing" else "unusable or out of bounds"
        change = f"{name}: {now:.0%} of the values are {kind}, before {before:.0%}"
    if reference.importance is None:
        return change
    cost = f"shuffling it costs the model {_two_digits(reference.weight(name))} of RMSE"
    return f"{change}; {cost if reference.weight(name) > 0 else 'the model does not depend on it'}"


def weight(test: TestResult, reference: Reference) -> tuple[bool, float, float]:
    """Return the rank of an alarm, largest first: errors, then importance times effect."""
    detail = dict(test.detail)
    # A pair counts as its less important feature: a feature that changed takes its pairs with it.
    names = [str(detail["first"]), str(detail["second"])] if test.kind == "joint" else [test.subject]
    importance = min(reference.weight(name) for name in names)
    if test.kind == "prediction":
        importance = max((reference.importance or {}).values(), default=1.0)
    return test.kind == "performance", importance * abs(test.effect), abs(test.effect)


def _values(test: TestResult, feature: dict[str, Any]) -> str:
    name, shift, histogram = test.subject, feature["mean_shift"], feature["histogram"]
    if "labels" in histogram:
        shares = zip(histogram["labels"], histogram["reference"], histogram["live"], strict=True)
        label, before, now = max(shares, key=lambda share: abs(share[2] - share[1]))
        return f"{name}: the share of {label} went from {before:.0%} to {now:.0%} (Cramer's V {test.effect:.2f})"
    if shift is None:
        return f"{name} no longer has the one value that it had (KS {test.effect:.2f})"
    if abs(shift) < 0.1:
        return f"{name} spreads {_two_digits(feature['spread_ratio'])} times as wide (KS {test.effect:.2f})"
    return f"{name} {_moved(shift)} (KS {test.effect:.2f})"


def _moved(shift: float) -> str:
    return f"{'rose' if shift > 0 else 'fell'} by {_two_digits(abs(shift))} standard deviations"


def _two_digits(number: float) -> str:
    """Format with two significant digits, also where the last one is 0: `4.0` says more than `4`."""
    return f"{number:#.2g}".removesuffix(".")
