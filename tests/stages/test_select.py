"""Selection among the families."""

import pytest

from pipeline.contract.errors import PipelineError
from stages import select

METRICS = {
    "simple": {"cv_rmse": 3.1, "cv_rmse_se": 0.2},
    "middle": {"cv_rmse": 3.05, "cv_rmse_se": 0.2},
    "best": {"cv_rmse": 3.0, "cv_rmse_se": 0.06},
}


def test_selection_rules() -> None:
    """`min` takes the lowest cross-validated RMSE, `one_se` the first family within one standard error of it."""
    assert select.pick(METRICS, "min") == "best"
    assert select.pick(METRICS, "one_se") == "middle"
    with pytest.raises(PipelineError, match=r"train\.families is empty"):
        select.pick({}, "min")
