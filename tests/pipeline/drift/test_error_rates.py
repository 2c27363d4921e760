"""The probability of a false alarm, by simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench import drift_samples
from pipeline.contract import schema
from pipeline.drift import correlation_test, two_sample_tests
from stages.drift import compare
from tests.conftest import ROOT
from tests.weather import DRIFT


def test_no_drift_is_seldom_reported() -> None:
    """Of 60 random divisions of the real table into 306 reference and 200 live rows, no more alarm than 1 % and three
    standard errors allow."""
    table, columns = drift_samples.table(), schema.load(ROOT / "data/schema.yaml")
    pairs = [drift_samples.unchanged(table.drop(columns="MEDV"), 200, trial) for trial in range(60)]
    alarms = sum(compare(reference, rows, columns, DRIFT)["drift_detected"] for reference, rows in pairs)
    assert alarms / 60 <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 60)


@pytest.mark.parametrize(("n", "missing"), [(50, 0.0), (300, 0.0), (100, 0.3)])
def test_permuted_labels_find_nothing_too_often(n: int, missing: float) -> None:
    """The p-value of the correlation test is uniform for equal tables with skewed, tied and missing values."""
    generator = np.random.default_rng(n)
    found = []
    for _ in range(120):
        columns = [generator.exponential(size=2 * n), generator.integers(0, 3, 2 * n), generator.normal(size=2 * n)]
        both = np.column_stack([*columns[:2], columns[0] + columns[2]])
        both[generator.random(both.shape) < missing] = np.nan
        sides = [pd.DataFrame(part, columns=list("abc")) for part in (both[:n], both[n:])]
        result = correlation_test.compare(*sides)
        assert result is not None
        found.append(result.p_value)
    assert stats.kstest(found, "uniform").pvalue > 0.001


def test_holm_by_hand() -> None:
    """Holm's adjusted p-values of 0.01, 0.04, 0.03 are 0.03, 0.06, 0.06."""
    assert two_sample_tests.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
