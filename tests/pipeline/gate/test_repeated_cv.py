"""The gate's second evidence: repeated cross-validation, corrected."""

import numpy as np
import pandas as pd
import pytest

from pipeline.contract.schema import Column
from pipeline.gate import repeated_cv
from tests.tables import make_schema


def test_the_corrected_interval_by_hand() -> None:
    """Nadeau and Bengio's standard error of the mean over five folds of 20 rows, 80 of which train."""
    generator = np.random.default_rng(0)
    champion, challenger = generator.exponential(size=(2, 100))
    held = np.arange(100).reshape(5, 20)
    splits = [(np.setdiff1d(np.arange(100), fold), fold) for fold in held]
    champion, challenger = champion.reshape(5, 20).mean(1), challenger.reshape(5, 20).mean(1)
    found = repeated_cv.corrected(champion, challenger, splits)
    ratios = np.log(challenger / champion) / 2
    error = np.sqrt((1 / 5 + 20 / 80) * ratios.var(ddof=1))
    # 2.776: the 97.5 % quantile of t with 4 degrees of freedom.
    assert np.log1p(found.high) == pytest.approx(ratios.mean() + 2.7764 * error, rel=1e-4)
    assert np.log1p(found.low) == pytest.approx(ratios.mean() - 2.7764 * error, rel=1e-4)


def test_cross_validation_is_repeated_on_folds_drawn_anew() -> None:
    """Each repetition holds every row once, in other company than before; with a time there is one repetition."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame({"a": generator.normal(size=200), "t": np.arange(200.0), "fold": np.arange(200) % 5})
    splits = repeated_cv.repeated(table, make_schema(Column("a", "float")))
    assert len(splits) == 5 * repeated_cv.REPEATS
    repetitions = [splits[start : start + 5] for start in range(0, len(splits), 5)]
    for repetition in repetitions:
        assert sorted(np.concatenate([held for _, held in repetition])) == list(range(200))
        assert all(len(np.intersect1d(train, held)) == 0 for train, held in repetition)
    assert len({held.tobytes() for _, held in splits}) == len(splits)
    assert len(repeated_cv.repeated(table, make_schema(Column("a", "float"), Column("t", "float", "time")))) == 4
