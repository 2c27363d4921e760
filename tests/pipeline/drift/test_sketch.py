"""The counts and samples of live rows: the laws that they keep, whatever the batches."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy import stats

from pipeline.contract.schema import Column
from pipeline.drift import live_rows, sketch, two_sample_tests
from tests.tables import make_schema
from tests.weather import WEATHER, weather

HEAT = Column("heat", "float", min=0, max=10)


def counts_of(reference: ArrayLike, values: ArrayLike) -> tuple[sketch.FeatureCounts, sketch.FeatureCounts]:
    anchor = sketch.anchor(pd.Series(reference, dtype=float), HEAT)
    both = (sketch.count(np.array(side, dtype=float), 0, anchor) for side in (reference, values))
    return next(both), next(both)


VALUES = st.lists(
    st.integers(-3, 12).map(float) | st.floats(-5, 15, width=16) | st.just(math.nan), min_size=1, max_size=60
)


@given(VALUES, VALUES)
def test_the_sketch_knows_the_ks_distance(reference: list[float], values: list[float]) -> None:
    """From counts alone the distance equals SciPy's, ties and values beyond the reference included."""
    known = [np.array([v for v in side if not math.isnan(v)]) for side in (reference, values)]
    if all(side.size for side in known):
        mine, _ = two_sample_tests.numbers(*counts_of(reference, values))
        assert mine == pytest.approx(stats.ks_2samp(*known).statistic, abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(50, 306), (101, 405), (200, 200), (7, 3)])
def test_small_p_values_of_ks_are_exact(n: int, m: int) -> None:
    """From the counts at the reference's values the p-value is SciPy's exact one."""
    generator = np.random.default_rng(n)
    for by in (0.3, 0.6, 1.0):
        sides = generator.normal(size=n), generator.normal(by, 1, m)
        exact = stats.ks_2samp(*sides, method="exact")
        if exact.pvalue < two_sample_tests.UNDOUBTED:
            assert two_sample_tests.numbers(*counts_of(*sides)) == pytest.approx(
                (exact.statistic, exact.pvalue), rel=1e-9
            )


@given(VALUES, st.lists(st.integers(0, 60), max_size=5))
def test_any_split_into_batches_gives_the_same_sketch(values: list[float], cuts: list[int]) -> None:
    """The counts and the sample of a table do not depend on the batches that it comes in."""
    table = pd.DataFrame({"heat": values, "y": np.arange(len(values), dtype=float)})
    only = make_schema(HEAT, Column("y", "float", role="target"))
    anchors = (sketch.anchor(pd.Series([1.0, 2.0, 2.0, 5.0]), HEAT),)
    numbers = np.arange(len(table))
    whole = sketch.take(table, numbers, anchors, only)
    edges = [0, *sorted(min(cut, len(table)) for cut in cuts), len(table)]
    parts = [sketch.take(table[a:b], numbers[a:b], anchors, only) for a, b in itertools.pairwise(edges)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    for field in ("rows", "missing", "unusable", "outside", "lowest", "highest"):
        assert getattr(total.counts["heat"], field) == getattr(whole.counts["heat"], field)
    for field in ("less", "at_most", "bins"):
        assert getattr(total.counts["heat"], field).tolist() == getattr(whole.counts["heat"], field).tolist()
    pd.testing.assert_frame_equal(total.sample, whole.sample)


def test_the_sample_stays_small_and_does_not_depend_on_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many rows the sample keeps sketch.SAMPLE, the same ones for any batch size."""
    rows = weather(9_000, 0)
    anchors = tuple(sketch.anchor(rows[c.name], c) for c in WEATHER.features)
    samples = []
    for size in (512, 4_000, 9_000):
        monkeypatch.setattr(live_rows, "BATCH", size)
        starts = range(0, len(rows), size)
        parts = [
            sketch.take(batch, np.arange(s, s + len(batch)), anchors, WEATHER)
            for s, batch in zip(starts, live_rows.of_table(rows).batches(), strict=True)
        ]
        samples.append(sum(parts[1:], start=parts[0]).sample)
    assert [len(sample) for sample in samples] == [sketch.SAMPLE] * 3
    assert samples[0].index.tolist() == samples[1].index.tolist() == samples[2].index.tolist()


def test_psi_stays_under_its_own_limit() -> None:
    """With no change PSI exceeds the limit of its null about as often as `alpha` says, at 100 rows and at 5,000."""
    for n in (100, 5_000):
        generator = np.random.default_rng(n)
        over = 0
        for _ in range(200):
            value, limit = two_sample_tests.psi(*counts_of(generator.random(400), generator.random(n)), 0.05)
            over += value > limit
        assert over / 200 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
