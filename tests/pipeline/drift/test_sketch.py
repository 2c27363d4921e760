"""Counts and samples of live rows, and the tests that are made of them, for any batches."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy import stats

from pipeline.contract.column import Column
from pipeline.drift import sketch, two_sample_tests
from tests.tables import make_schema

HEAT = Column("heat", "float", min=0, max=10)
VALUES = st.lists(
    st.integers(-3, 12).map(float) | st.floats(-5, 15, width=16) | st.just(math.nan), min_size=1, max_size=60
)


def counts_of(reference: ArrayLike, values: ArrayLike) -> tuple[sketch.FeatureCounts, sketch.FeatureCounts]:
    anchor = sketch.anchor(pd.Series(reference, dtype=float), HEAT)
    both = (sketch.count(np.array(side, dtype=float), 0, anchor) for side in (reference, values))
    return next(both), next(both)


@given(VALUES, VALUES, st.sampled_from([0, 2, 20]))
def test_counts_give_scipys_ks_test(reference: list[float], values: list[float], shift: int) -> None:
    """From counts alone the distance and a small p-value equal SciPy's, with ties and values beyond the reference."""
    values = [value + shift for value in values]
    known = [np.array([v for v in side if not math.isnan(v)]) for side in (reference, values)]
    if all(side.size for side in known):
        distance, p = two_sample_tests.numbers(*counts_of(reference, values))
        exact = stats.ks_2samp(*known, method="exact")
        assert distance == pytest.approx(exact.statistic, abs=1e-12)
        assert p > two_sample_tests.UNDOUBTED or p == pytest.approx(exact.pvalue, rel=1e-9)


@given(VALUES, st.lists(st.integers(0, 60), max_size=5))
@example([0.0, -0.0], [1])
def test_any_split_into_batches_gives_the_same_sketch(values: list[float], cuts: list[int]) -> None:
    """The counts and the bounded sample of a table do not depend on the batches that it comes in."""
    table = pd.DataFrame({"heat": values, "y": np.arange(len(values), dtype=float)})
    schema = make_schema(HEAT, Column("y", "float", role="target"))
    anchors = (sketch.anchor(pd.Series([1.0, 2.0, 2.0, 5.0]), HEAT),)
    ends = [0, *sorted(min(cut, len(table)) for cut in cuts), len(table)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sketch, "SAMPLE", 20)
        whole = sketch.take(table, np.arange(len(table)), anchors, schema)
        parts = [sketch.take(table[a:b], np.arange(a, b), anchors, schema) for a, b in itertools.pairwise(ends)]
        total = sum(parts[1:], start=parts[0])
    np.testing.assert_equal(vars(total.counts["heat"]), vars(whole.counts["heat"]))
    pd.testing.assert_frame_equal(total.sample, whole.sample)
    assert len(total.sample) == min(20, len(table))


@pytest.mark.parametrize("n", [100, 5_000])
def test_psi_stays_under_its_own_limit(n: int) -> None:
    """When nothing changed, PSI exceeds its limit about as often as `alpha` says."""
    generator = np.random.default_rng(n)
    pairs = [two_sample_tests.psi(*counts_of(generator.random(400), generator.random(n)), 0.05) for _ in range(200)]
    assert np.mean([value > limit for value, limit in pairs]) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
