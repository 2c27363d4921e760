"""Selection of the model: what is in its file, and what is printed."""

import msgspec
import numpy as np
import pytest

from pipeline.contract.onnx_model import Model
from pipeline.tables.feature_matrix import to_matrix
from stages import select
from stages.train import fit
from tests.pipeline.training.homes import HOMES, LIMITS, PARAMS, homes, serve


@pytest.mark.parametrize(("background", "comparables"), [(64, False), (0, False), (7, True)])
def test_the_model_file_holds_training_rows(background: int, comparables: bool) -> None:
    """The file has a sample of training rows, without their target, and comparables with it only where they are asked
    for; with any of them it answers as before, and the same sample gives the same bytes."""
    table, training = homes()
    served, before = serve(*fit(table, HOMES, PARAMS, "ridge"), training)
    limits = msgspec.structs.replace(LIMITS, background_rows=background, comparables=comparables)
    content = select.with_rows(served.content, training, limits)
    assert content == select.with_rows(served.content, training, limits)
    model = Model(content, "m")
    model.verify()
    about, matrix = model.description, to_matrix(training, HOMES.features)
    assert np.array_equal(model.predict(matrix), before.predict(matrix))
    rows = {row.tobytes() for row in matrix}
    found = np.array(about.background, dtype=float).reshape(-1, matrix.shape[1])
    assert len(found) == min(background, len(training))
    assert {row.tobytes() for row in found} <= rows
    if not comparables:
        assert about.comparables is None
        return
    assert about.comparables
    assert len(about.comparables.rows) == len(about.comparables.target) == len(training)
    assert np.array_equal(np.array(about.comparables.rows, dtype=float), matrix, equal_nan=True)
    assert about.comparables.target == training["price"].tolist()
