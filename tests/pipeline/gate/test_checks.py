"""The gate's checks, one by one."""

import numpy as np
import pytest

from pipeline.contract.description import Training
from pipeline.gate import checks
from tests.pipeline.gate.test_decision import GATE, limits


@pytest.mark.parametrize(("cv_rmse", "passed"), [(0.0, False), (0.0099, False), (0.0101, True), (3.0, True)])
def test_a_model_too_good_to_be_true_fails(cv_rmse: float, passed: bool) -> None:
    """From an out-of-fold R² of 0.9999 on, the check `leak` fails and asks if a feature is made from the target."""
    check = checks.no_leak(Training(rows=9, sha256="", target_median=0.0, target_std=1.0, cv_rmse=cv_rmse))
    assert (check.name, check.passed) == ("leak", passed)
    assert ("is a feature made from the target?" in check.detail) is not passed


def test_a_target_that_never_varies_is_no_leak() -> None:
    """Without a variance there is no R² to suspect."""
    check = checks.no_leak(Training(rows=9, sha256="", target_median=5.0, target_std=0.0, cv_rmse=0.0))
    assert (check.passed, "never varies" in check.detail) == (True, True)


@pytest.mark.parametrize(
    ("inside", "n", "passed"),
    [(90, 100, True), (80, 100, True), (70, 100, False), (100, 100, False), (800, 1000, False), (None, 9, False)],
)
def test_coverage_fails_only_beyond_doubt(inside: int | None, n: int, passed: bool) -> None:
    """80 of 100 rows inside may be chance at a promise of 90 %; 70 or all of 100, or 800 of 1,000, may not, nor may a
    bound that is no number."""
    lower = np.full(n, np.nan) if inside is None else np.where(np.arange(n) < inside, 0.5, 1.2)
    assert checks.coverage(np.ones(n), lower, np.full(n, 1.5), 0.9, GATE).passed is passed


def test_a_slice_that_is_worse_beyond_doubt_fails() -> None:
    """A slice with twice the error fails and is named; too small a one is not judged, and equal ones pass together in
    almost every case, however many they are."""
    errors = np.random.default_rng(0).normal(size=(400, 2))
    spoilt = np.arange(400) < 60
    members = [("sea", "near", spoilt), ("sea", "far", ~spoilt)]
    worse = np.square(np.column_stack([errors[:, 0], np.where(spoilt, 2, 1) * errors[:, 1]]))
    check = checks.slices(members, worse, GATE)
    assert check.passed is False
    assert "sea: near" in check.detail
    assert checks.slices(members, worse, limits(min_slice_rows=61)).passed is True
    assert checks.slices(members, worse, limits(min_slice_rows=401)).detail == "none has 401 rows"
    assert checks.slices(members, worse, limits(max_slice_regression=2)).passed is True
    passed = 0
    for seed in range(40):
        squared = np.square(np.random.default_rng(seed).normal(size=(1_000, 2)))
        parts = [("part", str(k), np.arange(1_000) % 20 == k) for k in range(20)]
        passed += checks.slices(parts, squared, limits(max_slice_regression=0)).passed is True
    assert passed >= 36


def test_a_model_that_the_server_refuses_fails(tmp_path) -> None:
    """Servable is what the server's own check says, in its words."""
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    check = checks.servable(tmp_path / "junk.onnx")
    assert check.passed is False
    assert "no usable ONNX model" in check.detail
