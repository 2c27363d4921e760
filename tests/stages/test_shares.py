"""A worker's share of a training table: rows as a fit prepares them, from rows that were prepared once."""

from pathlib import Path

import numpy as np
import pytest

from stages import families
from stages.training import facts, shares
from tests.stages.test_linear_sums import HOMES, cut, homes


@pytest.mark.parametrize("indicators", [(), (0, 1, 2, 3)])
def test_rows_are_those_of_the_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, indicators: tuple[int, ...]
) -> None:
    """Of any folds, also of none: what the fit's own preparation gives, in float32, with what it imputes and with its
    missing indicators; and the target of these rows."""
    monkeypatch.setattr(shares, "AT_ONCE", 50)
    parts = cut(homes(600, 0.2), tmp_path, 3)
    blocks = [facts.read(part, HOMES) for part in parts]
    matrix, target, fold = (np.concatenate(side) for side in zip(*blocks, strict=True))
    blank = np.zeros((2, len(HOMES.features)))
    first = families.numeric_pipeline(HOMES.features, "xgboost", 1, {}).fit(blank, np.zeros(2))
    share = shares.read(parts, HOMES, first[:-1])
    for folds in ([0, 2], [1], [9]):
        here = np.isin(fold, folds)
        made = families.numeric_pipeline(HOMES.features, "xgboost", 1, {}, indicators)
        prepare = made.fit(matrix[fold == 0], target[fold == 0])[:-1]
        features, mine = shares.of_folds(share, np.array(folds), prepare)
        assert features.dtype == np.float32
        assert np.array_equal(mine, target[here])
        if here.any():
            assert np.array_equal(features, prepare.transform(matrix[here]).astype(np.float32))
