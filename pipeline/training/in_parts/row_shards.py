"""The rows of a training table in parts, as trees want them: a share each worker of Dask, on its disk, for all fits.

Shares have as many rows each, for all wait for the worker with the most. They are prepared once and cut into pieces, of
which one at a time is in memory. Of what a fit learns, only what replaces a missing value changes a row, so only the
rows that miss one are prepared again for each fit. Where a share is not, because the worker that had it died, it is
made once more.
"""

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pyarrow as pa
from sklearn.pipeline import Pipeline

from pipeline.contract.schema import Schema
from pipeline.tables import atomic_files
from pipeline.training.in_parts import column_statistics

VALUES = 2**21  # of the features of a piece


class Piece(NamedTuple):
    """`features` float32 [rows, columns], prepared; `target` and `fold` [rows]. `gaps`: the places of the rows with a
    missing value, and `raw` float32 [gaps, features] these rows as of `pipeline.tables.feature_matrix`, NaN for missing."""

    features: np.ndarray
    target: np.ndarray
    fold: np.ndarray
    gaps: np.ndarray
    raw: np.ndarray


class Some(NamedTuple):
    """Rows `start` to `stop` of a part."""

    part: Path
    start: int
    stop: int


class Share(NamedTuple):
    """What it takes to make a share: its rows, and a fitted preparation without missing indicators. `place`: of its
    folder, under the folder that a worker has for itself."""

    place: Path
    rows: list[Some]
    schema: Schema
    prepare: Pipeline


def cut(counts: dict[Path, int], number: int) -> list[list[Some]]:
    """The rows of that many shares, from the rows of each part. Each has some from all over the table, which may be
    sorted, and in stretches of about a part, so that few parts are read by two workers."""
    stretches = number * max(1, len(counts) // number)
    edges = [sum(counts.values()) * place // stretches for place in range(stretches + 1)]
    shares: list[list[Some]] = [[] for _ in range(number)]
    for place, (start, stop) in enumerate(pairwise(edges)):
        begin = 0
        for part, count in counts.items():
            first, last = max(start - begin, 0), min(stop - begin, count)
            if first < last:
                shares[place % number].append(Some(part, first, last))
            begin += count
    return shares


def make(share: Share) -> None:
    """Put the share on this worker's disk, if it is not there."""
    if (folder := _disk() / share.place).exists():
        return
    with atomic_files.replacing(folder) as partial:
        partial.mkdir()
        number = 0
        for part, start, stop in share.rows:
            for piece in pieces_of(column_statistics.read(part, share.schema, slice(start, stop)), share.prepare):
                joblib.dump(piece, partial / f"{number:08}")
                number += 1
    pa.default_memory_pool().release_unused()  # what reading took: a tenth of the most that a fit needs after it


def pieces(share: Share) -> Iterator[Piece]:
    make(share)
    for path in sorted((_disk() / share.place).iterdir()):
        yield joblib.load(path)


def values(share: Share) -> int:
    """Of its features, prepared."""
    rows = sum(some.stop - some.start for some in share.rows)
    return rows * columns(share.prepare, len(share.schema.features))


def remove(place: Path, dask_worker: Any) -> None:
    shutil.rmtree(Path(dask_worker.local_directory) / place, ignore_errors=True)


def pieces_of(block: column_statistics.Block, prepare: Pipeline) -> Iterator[Piece]:
    rows = max(1, VALUES // columns(prepare, block.matrix.shape[1]))
    for start in range(0, len(block.target), rows):
        matrix, target, fold = (side[start : start + rows] for side in block)
        gaps = np.flatnonzero(np.isnan(matrix).any(axis=1))
        features = prepare.transform(matrix).astype(np.float32)
        yield Piece(features, target, fold, gaps, matrix[gaps].astype(np.float32))


def of_folds(piece: Piece, folds: np.ndarray, prepare: Pipeline) -> tuple[np.ndarray, np.ndarray]:
    """Features float32 [rows, columns] as `prepare`, fitted or taught, gives them, and target [rows], of the rows of
    these folds; missing indicators are its last columns, 0 in a row that misses nothing."""
    here = np.isin(piece.fold, folds)
    mine = np.flatnonzero(here[piece.gaps])
    width = piece.raw.shape[1]
    filled = prepare.transform(piece.raw[mine]) if len(mine) else np.empty((0, columns(prepare, width)))
    features = np.zeros((int(here.sum()), filled.shape[1]), dtype=np.float32)
    features[:, : piece.features.shape[1]] = piece.features[here]
    features[np.cumsum(here)[piece.gaps[mine]] - 1] = filled
    return features, piece.target[here]


def columns(prepare: Pipeline, n_features: int) -> int:
    return int(prepare.transform(np.zeros((1, n_features))).shape[1])


def _disk() -> Path:
    """Gone with the worker; where Dask keeps what it spills too (`temporary-directory` in its configuration)."""
    from dask.distributed import get_worker

    return Path(get_worker().local_directory)
