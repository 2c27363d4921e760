"""Every test that can alarm, and the multiple-testing correction over all of them.

Alpha is shared evenly among the families of tests that the columns allow, and within a family by Holm's method. So a
report raises a false alarm with probability alpha at most. An alarm also needs an effect that matters, because with
enough rows every difference is significant.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from pipeline.contract.params import Drift
from pipeline.contract.schema import Column, Schema
from pipeline.drift import correlation_test, expected_loss, sketch, two_sample_tests
from pipeline.drift.reference import Reference, expanded
from pipeline.drift.sketch import Anchor, FeatureCounts, Sketch

_NUMBER = Column("prediction", "float")


class TestResult(NamedTuple):
    """The result of one test. `subject`: a feature, a pair of features, or the predictions. The test alarms where
    `effect` is at least `floor` and `p_adjusted` is below the family's share of alpha. `detail`: further figures."""

    family: str
    kind: str
    subject: str
    effect: float
    floor: float
    p_value: float
    p_adjusted: float = 1.0
    alarm: bool = False
    detail: tuple[tuple[str, float | str], ...] = ()

    @property
    def one(self) -> bool:
        """True for kinds with a single test, whatever its subject."""
        return self.kind in ("joint", "prediction", "performance")

    @property
    def grows(self) -> bool:
        return self.family == "performance"


def run(reference: Reference, live: Sketch, schema: Schema, params: Drift, alpha: float) -> list[TestResult]:
    """Run every test on one sketch of live rows, at `alpha` for all of them together."""
    families = [
        _rates(reference, live, params),
        _stuck(reference, live, params),
        _covariate(reference, live, params),
        _joint(reference, live, params),
        _prediction(reference, live, params),
        _performance(reference, live, schema, params),
    ]
    present = [tests for tests in families if tests]
    return [test for tests in present for test in _decided(tests, alpha / len(present))]


def _decided(tests: list[TestResult], alpha: float) -> list[TestResult]:
    adjusted = two_sample_tests.holm([test.p_value for test in tests])
    return [
        # Errors that shrink are no alarm.
        test._replace(p_adjusted=p, alarm=p < alpha and (test.effect if test.grows else abs(test.effect)) >= test.floor)
        for test, p in zip(tests, adjusted, strict=True)
    ]


def _rates(reference: Reference, live: Sketch, params: Drift) -> list[TestResult]:
    """Tests of the rates of missing and of invalid cells. A rate that is 0 on both sides is not tested: that depends on
    both sides pooled, so the remaining tests stay valid. Features that the model ignores are not tested."""
    found = []
    for anchor in reference.anchors:
        name = anchor.column.name
        if name in reference.ignored:
            continue
        ours, theirs = reference.sketch.counts[name], live.counts[name]
        rates = {
            "missing": (ours.missing, theirs.missing, "two-sided"),
            "invalid": (ours.unusable + ours.outside, theirs.unusable + theirs.outside, "greater"),
        }
        for kind, (before, now, alternative) in rates.items():
            if before + now:
                result = two_sample_tests.rates((before, ours.rows), (now, theirs.rows), alternative)
                found.append(TestResult("data_quality", kind, name, result[0], params.min_rate_change, result[1]))
    return found


def _stuck(reference: Reference, live: Sketch, params: Drift) -> list[TestResult]:
    """Tests for a feature that is stuck at one value. They are a family of their own, because their p-values are seldom
    small, and in one family with the rates they would cost these much power."""
    found = []
    for anchor in reference.anchors:
        ours, theirs = reference.sketch.counts[anchor.column.name], live.counts[anchor.column.name]
        ends = {ours.lowest, ours.highest, theirs.lowest, theirs.highest}
        if ours.known and theirs.known and len(ends) > 1:
            same = theirs.lowest == theirs.highest
            result = (
                two_sample_tests.constant(ours, theirs, _equal(anchor, ours, theirs.lowest)) if same else (0.0, 1.0)
            )
            test = TestResult("constant", "constant", anchor.column.name, result[0], params.min_rate_change, result[1])
            found.append(test)
    return found


def _equal(anchor: Anchor, counts: FeatureCounts, value: float) -> int:
    place = int(np.searchsorted(anchor.values, value))
    return int(counts.at[place]) if place < anchor.values.size and anchor.values[place] == value else 0


def _covariate(reference: Reference, live: Sketch, params: Drift) -> list[TestResult]:
    """Tests of the distribution of each feature."""
    found = []
    for anchor in reference.anchors:
        ours, theirs = reference.sketch.counts[anchor.column.name], live.counts[anchor.column.name]
        if ours.known and theirs.known:
            result = (
                two_sample_tests.categories(ours, theirs) if anchor.coded else two_sample_tests.numbers(ours, theirs)
            )
            floor = params.min_effect / 2 if anchor.coded else distance(params.min_effect)
            found.append(TestResult("covariate", "values", anchor.column.name, result[0], floor, result[1]))
    return found


def distance(shift: float) -> float:
    """The KS distance of two normal distributions whose means differ by `shift` standard deviations."""
    return float(2 * stats.norm.cdf(shift / 2) - 1)


def _joint(reference: Reference, live: Sketch, params: Drift) -> list[TestResult]:
    found = correlation_test.compare(
        *(expanded(reference, side.sample, correlation_test.FEATURES) for side in (reference.sketch, live))
    )
    if found is None:
        return []
    detail = (("first", found.pair[0]), ("second", found.pair[1]), ("reference", found.reference), ("live", found.live))
    pair = " and ".join(found.pair)
    return [TestResult("joint", "joint", pair, found.change, params.min_effect / 2, found.p_value, detail=detail)]


def _prediction(reference: Reference, live: Sketch, params: Drift) -> list[TestResult]:
    if "prediction" not in reference.table or "prediction" not in live.sample:
        return []
    ours, theirs = (side["prediction"].dropna().to_numpy() for side in (reference.table, live.sample))
    if not (ours.size and theirs.size):
        return []
    anchor = sketch.Anchor(_NUMBER, np.unique(ours), np.empty(0))
    effect, p = two_sample_tests.numbers(*(sketch.count(side, 0, anchor) for side in (ours, theirs)))
    moved = float((theirs.mean() - ours.mean()) / max(ours.std(), 1e-12))
    detail = (("moved", moved), ("reference", float(ours.mean())), ("live", float(theirs.mean())))
    return [
        TestResult("prediction", "prediction", "predictions", effect, distance(params.min_effect), p, detail=detail)
    ]


def _performance(reference: Reference, live: Sketch, schema: Schema, params: Drift) -> list[TestResult]:
    if "residual" not in reference.table or not {"prediction", schema.target.name} <= set(live.labelled):
        return []
    residuals = reference.table["residual"].dropna().to_numpy()
    errors = (live.labelled[schema.target.name] - live.labelled["prediction"]).dropna().to_numpy()
    if not residuals.size or len(errors) < params.min_rows:
        return []
    ratio, p = expected_loss.observed(residuals, errors)
    detail = (
        ("reference", float(np.sqrt(np.square(residuals).mean()))),
        ("live", float(np.sqrt(np.square(errors).mean()))),
        ("rows", float(len(errors))),
    )
    return [TestResult("performance", "performance", "errors", ratio - 1, params.min_risk, p, detail=detail)]
