"""A worker's share of a training table: rows as a fit prepares them, from rows that were prepared once."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.training import families
from pipeline.training.in_parts import collective_fit, column_statistics, row_shards
from tests.pipeline.training.in_parts.test_moments import HOMES, cut, homes

COLUMNS = 7  # of these homes, prepared


@pytest.mark.parametrize("indicators", [(), (0, 1, 2, 3)])
def test_rows_are_those_of_the_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, indicators: tuple[int, ...]
) -> None:
    """Of any folds, also of none: what the fit's own preparation gives, in float32, with what it imputes and with its
    missing indicators; and the target of these rows."""
    monkeypatch.setattr(row_shards, "VALUES", 50 * COLUMNS)
    parts = cut(homes(600, 0.2), tmp_path, 3)
    blocks = [column_statistics.read(part, HOMES) for part in parts]
    matrix, target, fold = (np.concatenate(side) for side in zip(*blocks, strict=True))
    blank = np.zeros((2, len(HOMES.features)))
    first = families.numeric_pipeline(HOMES.features, "xgboost", 1, {}).fit(blank, np.zeros(2))
    pieces = [piece for block in blocks for piece in row_shards.pieces_of(block, first[:-1])]
    assert len(pieces) > len(blocks)
    assert max(len(piece.target) for piece in pieces) == 50
    for folds in ([0, 2], [1], [9]):
        here = np.isin(fold, folds)
        made = families.numeric_pipeline(HOMES.features, "xgboost", 1, {}, indicators)
        prepare = made.fit(matrix[fold == 0], target[fold == 0])[:-1]
        found = [row_shards.of_folds(piece, np.array(folds), prepare) for piece in pieces]
        features, mine = (np.concatenate(side) for side in zip(*found, strict=True))
        assert features.dtype == np.float32
        assert np.array_equal(mine, target[here])
        if here.any():
            assert np.array_equal(features, prepare.transform(matrix[here]).astype(np.float32))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.integers(1, 5))
def test_shares_are_even(counts: list[int], number: int) -> None:
    """Every row of every part is in one share, and no share has more rows than another but for the rounding of its
    stretches."""
    parts = {Path(str(place)): count for place, count in enumerate(counts)}
    found = row_shards.cut(parts, number)
    rows = [(some.part, row) for share in found for some in share for row in range(some.start, some.stop)]
    assert sorted(rows) == [(part, row) for part, count in sorted(parts.items()) for row in range(count)]
    sizes = [sum(some.stop - some.start for some in share) for share in found]
    assert max(sizes) - min(sizes) <= max(1, len(counts) // number)


def test_a_share_is_made_once_and_again_where_it_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pieces hold its rows in their order, and are read from the parts only where the worker does not have them."""
    monkeypatch.setattr(row_shards, "VALUES", 50 * COLUMNS)
    monkeypatch.setattr(row_shards, "_disk", lambda: tmp_path / "disk")
    parts = cut(homes(600, 0.2), tmp_path, 3)
    blank = np.zeros((2, len(HOMES.features)))
    prepare = families.numeric_pipeline(HOMES.features, "xgboost", 1, {}).fit(blank, np.zeros(2))[:-1]
    rows = [row_shards.Some(parts[0], 10, 90), row_shards.Some(parts[2], 0, 60)]
    share = row_shards.Share(Path("rows") / "0", rows, HOMES, prepare)
    whole = [
        column_statistics.block(column_statistics.table(part, HOMES, slice(start, stop)), HOMES)
        for part, start, stop in rows
    ]
    expected = np.concatenate([block.target for block in whole])
    first = np.concatenate([piece.target for piece in row_shards.pieces(share)])
    assert np.array_equal(first, expected)
    with monkeypatch.context() as without:
        without.setattr(column_statistics, "read", None)
        sizes = [len(piece.target) for piece in row_shards.pieces(share)]
    assert (sum(sizes), max(sizes)) == (len(expected), 50)
    shutil.rmtree(tmp_path / "disk")
    assert np.array_equal(np.concatenate([piece.target for piece in row_shards.pieces(share)]), expected)


@pytest.mark.parametrize("kept", [0, 2**24])
def test_rows_of_a_fit_are_the_same_in_each_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    """Whether a fit keeps its rows in memory or reads them for each pass, a pass gives those of its folds, whole and in
    their order; those that are kept are read once."""
    monkeypatch.setattr(row_shards, "VALUES", 50 * COLUMNS)
    monkeypatch.setattr(row_shards, "_disk", lambda: tmp_path / "disk")
    monkeypatch.setattr(collective_fit, "KEPT", kept)
    (part,) = cut(homes(600, 0.2), tmp_path, 1)
    blank = np.zeros((2, len(HOMES.features)))
    prepare = families.numeric_pipeline(HOMES.features, "xgboost", 1, {}).fit(blank, np.zeros(2))[:-1]
    share = row_shards.Share(Path("rows"), [row_shards.Some(part, 0, 300)], HOMES, prepare)
    folds = np.array([0, 2])
    read = column_statistics.block(column_statistics.table(part, HOMES, slice(0, 300)), HOMES)
    expected = read.target[np.isin(read.fold, folds)]
    rows = collective_fit._Rows(share, collective_fit.Fit([], folds, prepare))
    if kept:
        shutil.rmtree(tmp_path / "disk")
        monkeypatch.setattr(column_statistics, "read", None)
    for _ in range(3):
        found = [target for _, target in rows.blocks]
        assert len(found) > 1
        assert np.array_equal(np.concatenate(found), expected)
        rows.reset()
