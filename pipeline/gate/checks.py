"""The checks before a promotion: one small function a check."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from pipeline.contract import leak
from pipeline.contract.description import Training
from pipeline.contract.number_text import change, figure, plain, share
from pipeline.contract.params import Gate
from pipeline.contract.wording import counted
from pipeline.evaluation.metrics import against_median
from pipeline.gate import paired_test
from pipeline.gate.paired_test import Comparison
from pipeline.registry import module_runner

NO_NUMBER = "a prediction is not a number"
PERFECT = "the champion makes no error in these rows"


class Check(NamedTuple):
    """A check with what it found; `passed` is None where the rows cannot tell."""

    name: str
    passed: bool | None
    detail: str


def skill(new: float, constant: float, limits: Gate) -> Check:
    """Pass where RMSE is `min_skill` below `constant`, the RMSE of always saying the training median."""
    if not np.isfinite(new):
        return Check("skill", False, NO_NUMBER)
    required = f"at least {share(limits.min_skill)}{' below' if new >= constant else ''} required"
    passed = constant > 0 and 1 - new / constant >= limits.min_skill
    return Check("skill", bool(passed), f"{against_median(new, constant)}, {required}")


def no_leak(training: Training) -> Check:
    """Fail where the out-of-fold R² is so high that a feature must be made from the target."""
    r2, asked = leak.out_of_fold_r2(training), leak.question(training)
    found = "the training target never varies" if r2 is None else f"out-of-fold R² is {r2:.4f}"
    return Check("leak", not asked, asked or f"{found}, suspicious from {leak.SUSPICIOUS_R2} on")


def max_rmse(new: float, limits: Gate) -> list[Check]:
    """Pass where RMSE is at most `max_rmse`; no check where that is not set."""
    if limits.max_rmse is None:
        return []
    detail = f"RMSE is {figure(new)}, at most {plain(limits.max_rmse)} allowed"
    return [Check("max_rmse", bool(new <= limits.max_rmse), detail)]


def coverage(actual: np.ndarray, lower: np.ndarray, upper: np.ndarray, level: float, limits: Gate) -> Check:
    """Fail only where the exact interval of the share inside (Clopper and Pearson 1934) excludes all that is allowed.

    Of 100 rows at a level of 0.9, 81 to 97 inside are no surprise.
    """
    if not np.isfinite([lower, upper]).all():
        return Check("coverage", False, "a bound of an interval is not a number")
    inside, n = int(((lower <= actual) & (actual <= upper)).sum()), len(actual)
    low, high = stats.binomtest(inside, n).proportion_ci(1 - limits.alpha, method="exact")
    # The tolerance is a decimal number of the user's: 0.9 + 0.05 must not lose to the last bit.
    tolerance = limits.coverage_tolerance + 1e-9
    detail = (
        f"{share(inside / n)} of the rows inside their interval (true share {share(low)} to {share(high)}), "
        f"{share(level, 0)} promised, {share(limits.coverage_tolerance)} more or less allowed"
    )
    return Check("coverage", bool(high >= level - tolerance and low <= level + tolerance), detail)


def superior(found: Comparison, limits: Gate, rows: str, recent: bool = False) -> Check:
    """Pass where the whole interval is better by `min_improvement`; fail where the whole interval is not."""
    passed = True if found.high < -limits.min_improvement else None if found.low <= -limits.min_improvement else False
    required = f"below {share(-limits.min_improvement)}" if limits.min_improvement else "all below 0"
    return Check("recent" if recent else "superior", _decided(passed, found), _interval(found, required, rows))


def non_inferior(found: Comparison, limits: Gate, rows: str) -> Check:
    """Pass where the whole interval is worse by less than `margin`; fail where it is all worse and reaches beyond."""
    passed = True if found.high < limits.margin else None if found.low <= 0 else False
    required = f"below {change(limits.margin)}"
    return Check("non_inferior", _decided(passed, found), _interval(found, required, rows))


def probably_better(found: Comparison, limits: Gate, rows: str) -> Check:
    """Pass where an improvement is as probable as `confidence` and, for certain, none is worse by `margin`; fail where
    it is certainly worse."""
    enough = found.confidence >= limits.confidence and found.high < limits.margin
    passed = True if enough else None if found.low <= 0 else False
    interval = _interval(found, f"below {change(limits.margin)}", rows)
    confidence = f"confidence in an improvement {share(found.confidence)}, at least {share(limits.confidence)} required"
    return Check("probably_better", _decided(passed, found), f"{interval}; {confidence}")


def slices(members: Iterable[tuple[str, str, np.ndarray]], squared: np.ndarray, limits: Gate) -> Check:
    """Fail where a slice of `min_slice_rows` is certainly worse by more than `max_slice_regression`.

    `members`: feature, value and mask [rows]; `squared`: as `compare` takes it. The slices share `alpha` equally
    (Bonferroni), so that one of many does not fail by chance.
    """
    if not np.isfinite(squared).all():
        return Check("slices", False, NO_NUMBER)
    large = [(f"{name}: {value}", rows) for name, value, rows in members if rows.sum() >= limits.min_slice_rows]
    if not large:
        return Check("slices", True, f"none has {counted(limits.min_slice_rows, 'row')}")
    part = limits.alpha / len(large)
    found = [(paired_test.compare(squared[rows], part, limits.samples, limits.seed), name) for name, rows in large]
    worst, name = max(found, key=lambda pair: pair[0].low)
    changed = f"change of RMSE {change(worst.change)}, at least {change(worst.low)}"
    detail = (
        f"worst of {len(large)}: {name}: {PERFECT if np.isinf(worst.change) else changed}; at most "
        f"{change(limits.max_slice_regression)} allowed"
    )
    return Check("slices", bool(worst.low <= limits.max_slice_regression), detail)


def servable(path: Path) -> Check:
    """Pass where the server's own check does, in a process of its own: nothing of the pipeline is loaded there."""
    # Without a key: a model is signed when it is promoted.
    done = module_runner.capture("api.commands.check", str(path), MODEL_PUBLIC_KEY="")
    said = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines() or ["it printed nothing"]
    return Check("servable", done.returncode == 0, said[-1].removeprefix("error: "))


def schema_compatibility(narrower: Sequence[str], allowed: bool) -> Check:
    """Pass where callers may send all that they might before; `narrower` lists what they may not."""
    if not narrower:
        return Check("schema_compatibility", True, "accepts every input that the champion accepts")
    way = "allowed by" if allowed else "where that is meant:"
    return Check("schema_compatibility", allowed, f"{'; '.join(narrower)} ({way} --allow-schema-change)")


def _decided(passed: bool | None, found: Comparison) -> bool | None:
    return False if found.same or np.isnan(found.change) else passed


def _interval(found: Comparison, required: str, rows: str) -> str:
    if np.isnan(found.change):
        return NO_NUMBER
    if found.same:
        return "the same errors in every row: nothing to gain"
    if np.isinf(found.change):
        return PERFECT
    if np.isinf(found.high):
        few = counted(found.n, "row")
        return f"{few} and gate.samples allow no bound at alpha {figure(found.alpha, 2)}; bring new test rows"
    return (
        f"change of RMSE {change(found.change)}, {plain(100 * (1 - 2 * found.alpha), 4)}% interval "
        f"{change(found.low)} to {change(found.high)} on {rows} ({found.n}); {required} required"
    )
