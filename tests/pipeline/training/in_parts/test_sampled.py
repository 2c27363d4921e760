"""A family that keeps a bounded number of rows, on a training table in parts."""

from pathlib import Path

from pipeline.distributed.executor import Executor
from pipeline.training.in_parts import fitting
from pipeline.training.in_parts.learner import TrainingParts
from tests.pipeline.training.homes import HOMES, with_grid
from tests.pipeline.training.in_parts.test_linear import cut, training_rows

FAMILY = "gaussian_process"


def test_parts_learn_from_a_sample(tmp_path: Path) -> None:
    """Of a table in parts the rows with the smallest hashes are learned from, the same ones however it is cut."""
    table = training_rows(1000, 0.05)
    params = with_grid(FAMILY, {"max_rows": [150, 200]})
    found = [
        fitting.fit(
            TrainingParts(Executor(), cut(table, tmp_path / str(parts), parts), HOMES),
            params,
            FAMILY,
            "sha",
            tmp_path / f"oof-{parts}",
        )
        for parts in (1, 4)
    ]
    one, four = (each.pipeline.predict(table) for each in found)
    assert (one == four).all()
    assert found[0].record.cv_rmse < 0.6 * table["price"].std()
    assert len(found[0].pipeline[-1].regressor_.points_) == found[0].record.settings["max_rows"]
