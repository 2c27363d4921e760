"""Linear models: what LAPACK adds in another order changes nothing that is stored."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn import linear_model

from pipeline.training import onnx_export
from stages.train import fit
from tests.pipeline.training.homes import HOMES, LIMITS, PARAMS
from tests.pipeline.training.in_parts.test_linear import training_rows


def stored(table: pd.DataFrame, family: str) -> tuple[str, bytes, bytes]:
    """The hash of the fitted object, the out-of-fold predictions and the model file."""
    pipeline, record = fit(table, HOMES, PARAMS, family)
    training = onnx_export.describe_training(table["price"].to_numpy(float), "sha", record.cv_rmse)
    served = onnx_export.served_form(pipeline, record, table, HOMES, training, 0.8, LIMITS)
    return joblib.hash(pipeline), record.out_of_fold.tobytes(), served.content


@pytest.mark.parametrize(("family", "base"), [("linear", linear_model.LinearRegression), ("ridge", linear_model.Ridge)])
def test_last_digits_of_a_fit_are_not_stored(family: str, base: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit whose coefficients differ in the fourteenth digit, as on another processor, gives the same fitted object,
    out-of-fold predictions and model file."""
    table, plain = training_rows(500, 0.05), base.fit
    before = stored(table, family)

    def elsewhere(self: linear_model.Ridge, *arguments: np.ndarray) -> linear_model.Ridge:
        plain(self, *arguments)
        self.coef_ = self.coef_ * (1 + 3e-15)
        self.intercept_ = self.intercept_ * (1 - 3e-15)
        return self

    monkeypatch.setattr(base, "fit", elsewhere)
    assert stored(table, family) == before
