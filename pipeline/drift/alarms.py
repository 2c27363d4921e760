"""Every test that can alarm, and the multiple-testing correction over all of them.

Alpha is shared equally among the families of tests that the columns allow, and within a family by Holm's method. So a
report raises a false alarm with probability alpha at most. An alarm also needs an effect that matters, because with
enough rows every difference is significant.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import stats

from pipeline.contract.column import Column
from pipeline.contract.params import Drift
from pipeline.contract.schema import Schema
from pipeline.drift import correlation_test, sketch, two_sample_tests
from pipeline.drift.reference import Reference
from pipeline.drift.sketch import Anchor, FeatureCounts, Sketch

# Kinds with one test, whatever its subject.
SINGLE = ("joint", "prediction", "performance")


class TestResult(NamedTuple):
    """The result of one test. `subject`: a feature, a pair of features, the predictions or the errors. The test alarms
    where `effect` reaches `floor` and `p_adjusted` is below the family's share of alpha. `detail`: further figures."""

    family: str
    kind: str
    subject: str
    effect: float
    floor: float
    p_value: float
    p_adjusted: float = 1.0
    alarm: bool = False
    detail: tuple[tuple[str, float | str], ...] = ()


def run(reference: Reference, live: Sketch, schema: Schema, params: Drift, alpha: float) -> list[TestResult]:
    """Run every test on one sketch of live rows, at `alpha` for all of them together."""
    families = [
        list(_rates(reference, live, params)),
        list(_stuck(reference, live, params)),
        list(_distributions(reference, live, params)),
        list(_joint(reference, live, params)),
        list(_prediction(reference, live, params)),
        list(_performance(reference, live, schema, params)),
    ]
    present = [tests for tests in families if tests]
    return [test for tests in present for test in _corrected(tests, alpha / len(present))]


def _corrected(tests: list[TestResult], alpha: float) -> Iterator[TestResult]:
    for test, p in zip(tests, two_sample_tests.holm([test.p_value for test in tests]), strict=True):
        # Errors that shrink are no alarm.
        size = test.effect if test.kind == "performance" else abs(test.effect)
        yield test._replace(p_adjusted=p, alarm=p < alpha and size >= test.floor)


def _features(reference: Reference, live: Sketch) -> Iterator[tuple[str, Anchor, FeatureCounts, FeatureCounts]]:
    for anchor in reference.anchors:
        name = anchor.column.name
        yield name, anchor, reference.sketch.counts[name], live.counts[name]


def _with_values(reference: Reference, live: Sketch) -> Iterator[tuple[str, Anchor, FeatureCounts, FeatureCounts]]:
    """Yield the features whose values are compared, and that have a value on both sides."""
    for name, anchor, ours, theirs in _features(reference, live):
        if anchor.is_compared and ours.known and theirs.known:
            yield name, anchor, ours, theirs


def _rates(reference: Reference, live: Sketch, params: Drift) -> Iterator[TestResult]:
    """Test the rates of missing and of invalid cells. A rate that is 0 on both sides is not tested: that depends on
    both sides pooled, so the remaining tests stay valid. Callers may leave out features that the model does not take,
    so these are not tested."""
    for name, _, ours, theirs in _features(reference, live):
        if reference.importance is not None and name not in reference.importance:
            continue
        invalid = ours.unusable + ours.outside, theirs.unusable + theirs.outside
        rates = ("missing", ours.missing, theirs.missing, "two-sided"), ("invalid", *invalid, "greater")
        for kind, before, now, alternative in rates:
            if before + now:
                effect, p = two_sample_tests.rates((before, ours.rows), (now, theirs.rows), alternative)
                yield TestResult("data_quality", kind, name, effect, params.min_rate_change, p)


def _stuck(reference: Reference, live: Sketch, params: Drift) -> Iterator[TestResult]:
    """Test for features that are stuck at one value. These tests are a family of their own: their p-values are seldom
    small, and in one family with the rates they would cost these much power."""
    for name, anchor, ours, theirs in _with_values(reference, live):
        if len({ours.lowest, ours.highest, theirs.lowest, theirs.highest}) > 1:
            effect, p = 0.0, 1.0
            if theirs.lowest == theirs.highest:
                equal = int(ours.at[anchor.values == theirs.lowest].sum())
                effect, p = two_sample_tests.constant(ours, theirs, equal)
            yield TestResult("constant", "constant", name, effect, params.min_rate_change, p)


def _distributions(reference: Reference, live: Sketch, params: Drift) -> Iterator[TestResult]:
    """Test the distribution of each feature."""
    for name, anchor, ours, theirs in _with_values(reference, live):
        test = two_sample_tests.categories if anchor.coded else two_sample_tests.numbers
        floor = params.min_effect / 2 if anchor.coded else _distance(params.min_effect)
        effect, p = test(ours, theirs)
        yield TestResult("covariate", "values", name, effect, floor, p)


def _distance(shift: float) -> float:
    """Return the KS distance of two normal distributions whose means differ by `shift` standard deviations."""
    return float(2 * stats.norm.cdf(shift / 2) - 1)


def _joint(reference: Reference, live: Sketch, params: Drift) -> Iterator[TestResult]:
    """Test the rank correlations of the most important features."""
    ours, theirs = (reference.matrix(side.sample, reference.names) for side in (reference.sketch, live))
    if found := correlation_test.compare(ours, theirs):
        first, second = found.pair
        detail = (("first", first), ("second", second), ("reference", found.reference), ("live", found.live))
        effect, floor = found.live - found.reference, params.min_effect / 2
        yield TestResult("joint", "joint", f"{first} and {second}", effect, floor, found.p_value, detail=detail)


def _prediction(reference: Reference, live: Sketch, params: Drift) -> Iterator[TestResult]:
    """Test the distribution of the predictions."""
    if "prediction" in reference.table and "prediction" in live.sample:
        ours, theirs = (side["prediction"].dropna().to_numpy() for side in (reference.table, live.sample))
        if ours.size and theirs.size:
            anchor = Anchor(Column("prediction", "float"), np.unique(ours), np.empty(0))
            effect, p = two_sample_tests.numbers(*(sketch.count(side, 0, anchor) for side in (ours, theirs)))
            moved = float((theirs.mean() - ours.mean()) / max(ours.std(), 1e-12))
            detail = (("moved", moved), ("reference", float(ours.mean())), ("live", float(theirs.mean())))
            floor = _distance(params.min_effect)
            yield TestResult("prediction", "prediction", "predictions", effect, floor, p, detail=detail)


def _performance(reference: Reference, live: Sketch, schema: Schema, params: Drift) -> Iterator[TestResult]:
    """Test whether the errors of rows with feedback grew, where there are `params.min_rows` of them."""
    if "residual" in reference.table and {"prediction", schema.target.name} <= set(live.labelled):
        ours = reference.table["residual"].dropna().to_numpy()
        theirs = (live.labelled[schema.target.name] - live.labelled["prediction"]).dropna().to_numpy()
        if ours.size and theirs.size >= params.min_rows:
            before, now = (float(np.sqrt(np.square(side).mean())) for side in (ours, theirs))
            # Ranks (Mann-Whitney) keep a single wild row from raising an alarm.
            p = float(stats.mannwhitneyu(np.abs(theirs), np.abs(ours), alternative="greater").pvalue)
            effect = now / max(before, 1e-150) - 1
            detail = (("reference", before), ("live", now), ("rows", float(theirs.size)))
            yield TestResult("performance", "performance", "errors", effect, params.min_risk, p, detail=detail)
