"""The selection among the families and their blend."""

import numpy as np
import pandas as pd
import pytest

from pipeline.contract.errors import PipelineError
from pipeline.training import selection
from pipeline.training.cross_validation import rmse
from tests.pipeline.training.test_blend import candidates, folds

METRICS = {
    "simple": {"cv_rmse": 3.1, "cv_rmse_se": 0.2},
    "middle": {"cv_rmse": 3.05, "cv_rmse_se": 0.2},
    "best": {"cv_rmse": 3.0, "cv_rmse_se": 0.06},
}


def test_selection_rules() -> None:
    """`min` takes the lowest cross-validated RMSE, `one_se` the first family within one standard error of it."""
    assert selection.pick(METRICS, "min") == "best"
    assert selection.pick(METRICS, "one_se") == "middle"
    with pytest.raises(PipelineError, match=r"train\.families is empty"):
        selection.pick({}, "min")


def selected(noise: list[float], rule: str = "blend") -> selection.Selection:
    """The selection among members "0", "1", ... with independent errors of these sizes."""
    predictions, target = candidates(0, noise)
    metrics = {}
    for place, each in enumerate(predictions.T):
        metrics[str(place)] = dict(zip(("cv_rmse", "cv_rmse_se"), rmse(np.square(each - target)), strict=True))
    out_of_fold = pd.DataFrame(predictions, columns=list(metrics))
    return selection.choose(metrics, rule, out_of_fold, target, folds(len(target)), 0.9)


def test_a_blend_is_taken_where_it_is_better() -> None:
    """Three members with independent errors are blended: RMSE falls, and the interval is one of the blend's."""
    found = selected([1.0, 1.2, 1.1])
    assert found.family == "blend"
    assert sum(found.weights.values()) == pytest.approx(1)
    assert found.cv_rmse < 0.8 * selected([1.0, 1.2, 1.1], "min").cv_rmse
    assert found.half is not None


@pytest.mark.parametrize(
    ("noise", "rule"), [([1.0], "blend"), ([1.0, 30.0, 30.0], "blend"), ([0.0, 1.0], "blend"), ([1.0, 1.1], "min")]
)
def test_else_the_best_family_is_the_model(noise: list[float], rule: str) -> None:
    """One family, members that cannot help, a perfect one, and the rule `min`: the best family is the model, with its
    own figures and a weight of 1."""
    found = selected(noise, rule)
    assert (found.family, found.weights, found.half) == ("0", {"0": 1.0}, None)
    assert found.out_of_fold == pytest.approx(candidates(0, noise)[0][:, 0])


def test_a_blend_that_is_no_better_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the blend's cross-fitted RMSE is above that of the best family, that family is the model."""
    monkeypatch.setattr(selection.blend, "weigh", lambda *_, **gain: np.full(2, 0.5))
    assert selected([1.0, 3.0]).family == "0"
