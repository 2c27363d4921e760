"""The rows of a training table in parts, as trees want them, held by the workers of Dask: a share each, for all fits.

A share is every n-th part, read and prepared once. Of what a fit learns, only what replaces a missing value changes a
row, so only the rows that miss one are prepared again for each fit. A share that died with its worker is read again.
"""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline

from stages import tables
from stages.engine import InFolder
from stages.schema import Schema
from stages.training import facts
from stages.training.facts import Facts

AT_ONCE = 2**16  # rows, of which there may be copies


class Share(NamedTuple):
    """`features` float32 [rows, columns], prepared; `target` and `fold` [rows]. `gaps`: the places of the rows with a
    missing value, and `raw` float32 [gaps, features] these rows as of `stages.matrix`, NaN for missing."""

    features: np.ndarray
    target: np.ndarray
    fold: np.ndarray
    gaps: np.ndarray
    raw: np.ndarray


class Shares:
    """Of `known.parts`; `prepare` is a fitted preparation without missing indicators."""

    def __init__(self, known: Facts, prepare: Pipeline) -> None:
        self.parts = known.parts
        self.read = InFolder(partial(read, schema=known.schema, prepare=prepare), Path.cwd())
        self.workers: list[str] = []
        self.held: list[Any] = []

    def on(self, client: Any, workers: list[str]) -> list[Any]:
        """Futures of the shares, one on each of these workers (no more than there are parts), read where these are not
        the workers of the last time."""
        workers = workers[: len(self.parts)]
        if workers != self.workers:
            self.workers = workers
            self.held = [
                client.submit(self.read, self.parts[place :: len(workers)], **at(address))
                for place, address in enumerate(workers)
            ]
        return self.held


def at(address: str) -> dict[str, Any]:
    """Of a Dask task: on that worker, or on another if it is gone; never taken for an earlier one."""
    return {"workers": [address], "allow_other_workers": True, "pure": False}


def read(parts: list[Path], schema: Schema, prepare: Pipeline) -> Share:
    most = sum(map(tables.count, parts))
    features = np.empty((most, _columns(prepare, len(schema.features))), dtype=np.float32)
    target, fold = np.empty(most), np.empty(most, dtype=np.int32)
    gaps, raw, end = [], [], 0
    for part in parts:
        block = facts.read(part, schema)
        start, end = end, end + len(block.target)
        target[start:end], fold[start:end] = block.target, block.fold
        for some in _pieces(end - start):
            features[start:end][some] = prepare.transform(block.matrix[some])
        missing = np.flatnonzero(np.isnan(block.matrix).any(axis=1))
        gaps.append(start + missing)
        raw.append(block.matrix[missing].astype(np.float32))
    return Share(features[:end], target[:end], fold[:end], np.concatenate(gaps), np.concatenate(raw))


def of_folds(share: Share, folds: np.ndarray, prepare: Pipeline) -> tuple[np.ndarray, np.ndarray]:
    """Features [rows, columns] as `prepare`, fitted or taught, gives them, and target [rows], of the rows of these
    folds; missing indicators are its last columns, 0 in a row that misses nothing."""
    here = np.isin(share.fold, folds)
    places = np.flatnonzero(here)
    features = np.zeros((len(places), _columns(prepare, share.raw.shape[1])), dtype=np.float32)
    for some in _pieces(len(places)):
        features[some, : share.features.shape[1]] = share.features[places[some]]
    mine = np.flatnonzero(here[share.gaps])
    for some in _pieces(len(mine)):
        to = np.searchsorted(places, share.gaps[mine[some]])
        features[to] = prepare.transform(share.raw[mine[some]])
    return features, share.target[here]


def _columns(prepare: Pipeline, features: int) -> int:
    return int(prepare.transform(np.zeros((1, features))).shape[1])


def _pieces(rows: int) -> list[slice]:
    """A share is large, and so would be copies of all of it."""
    return [slice(start, start + AT_ONCE) for start in range(0, rows, AT_ONCE)]
