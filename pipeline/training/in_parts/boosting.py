"""Boosted trees of xgboost on a training table in parts: the search, over fits by all workers together."""

import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from pipeline.contract import paths
from pipeline.distributed.executor import Executor
from pipeline.distributed.shared_files import borrowed, lent
from pipeline.tables import parquet
from pipeline.training import cross_validation, preprocessing
from pipeline.training.in_parts import collective_fit, exact_sums, row_shards
from pipeline.training.in_parts.column_statistics import Facts
from pipeline.training.in_parts.row_shards import Share

Settings = dict[str, Any]


class ByXgboost:
    """`make(settings, indicators)` gives an unfitted numeric pipeline that ends in XGBRegressor."""

    def __init__(self, engine: Executor, known: Facts, make: Callable[[Settings, tuple[int, ...]], Pipeline]) -> None:
        self.engine, self.known, self.make = engine, known, make
        self.place = Path(f"rows-{uuid.uuid4().hex}")
        prepare, counts = self._blank({}, ())[:-1], {part: parquet.count(part) for part in known.parts}
        self.shares = [
            Share(self.place / str(number), rows, known.schema, prepare)
            for number, rows in enumerate(row_shards.cut(counts, engine.workers))
        ]
        self.kept: dict[str, list[Pipeline]] = {}

    def squared_errors(self, tried: list[Settings], indicators: tuple[int, ...]) -> list[float]:
        """Of each settings the sum of the squared errors over all held rows. Of models that differ in their number of
        rounds alone the largest is fitted: the others are its beginning."""
        rounds = [_rounds(self.make(settings, indicators)) for settings in tried]
        groups = cross_validation.by_size(tried)
        largest = [tried[max(group, key=rounds.__getitem__)] for group in groups]
        counts = [[rounds[place] for place in group] for group in groups]
        totals = np.zeros(len(tried), dtype=object)
        for split, (train, held) in enumerate(self.known.splits):
            models = self._fit(largest, indicators, train, split)
            if len(tried) == 1:  # more would be many models to hold, of which one is asked for again
                self.kept.setdefault(_key(tried[0], indicators), []).append(models[0])
            with lent(list(zip(models, counts, strict=True)), paths.CANDIDATES) as path:
                judging = partial(_squared_errors, models=path, held=held)
                where = collective_fit.alive(self.engine.client)
                found = self.engine.map(judging, self.shares, f"train: errors, fold {split}", where)
            totals[[place for group in groups for place in group]] += np.sum(np.array(found, dtype=object), axis=0)
        return [exact_sums.value(total) for total in totals]

    def fits(self, settings: Settings, indicators: tuple[int, ...]) -> list[Pipeline]:
        """Fitted: one of each split, and last the one of all rows."""
        splits = self.known.splits
        everything = np.unique(np.concatenate([folds for split in splits for folds in split]))
        models = self.kept.get(_key(settings, indicators)) or [
            self._fit([settings], indicators, train, place)[0] for place, (train, _) in enumerate(splits)
        ]
        return [*models, *self._fit([settings], indicators, everything, len(splits))]

    def close(self) -> None:
        """Workers that somebody else started go on: leave nothing on their disks."""
        self.engine.client.run(row_shards.remove, self.place, on_error="ignore")

    def _blank(self, settings: Settings, indicators: tuple[int, ...]) -> Pipeline:
        """Fitted to two rows of nothing, which set up what does not depend on the rows."""
        return self.make(settings, indicators).fit(np.zeros((2, len(self.known.schema.features))), np.zeros(2))

    def _fit(self, each: list[Settings], indicators: tuple[int, ...], folds: np.ndarray, split: int) -> list[Pipeline]:
        pipelines = [self._blank(settings, indicators) for settings in each]
        preprocessing.teach(pipelines[0][0], self.known.imputed[split])
        task = collective_fit.Fit([pipeline[-1] for pipeline in pipelines], folds, pipelines[0][:-1])
        boosters = collective_fit.lasting(
            self.engine, lambda workers: collective_fit.fit(self.engine, workers, self.shares, task)
        )
        for pipeline, booster in zip(pipelines, boosters, strict=True):
            pipeline.steps[0] = pipelines[0].steps[0]
            pipeline[-1].load_model(bytearray(booster))
        return pipelines


def _squared_errors(share: Share, models: Path, held: np.ndarray) -> list[int]:
    """Of each model and each of its numbers of rounds: the total of the squared errors over the held rows."""
    judged = borrowed(models)
    found = [0] * sum(len(counts) for _, counts in judged)
    for piece in row_shards.pieces(share):
        features, target = row_shards.of_folds(piece, held, judged[0][0][:-1])  # they differ in the last step alone
        place = 0
        for pipeline, counts in judged:
            for count in counts:
                predicted = pipeline[-1].predict(features, iteration_range=(0, count)) if len(target) else target
                found[place] += exact_sums.total(np.square(predicted - target))
                place += 1
    return found


def _rounds(pipeline: Pipeline) -> int:
    return int(pipeline[-1].get_num_boosting_rounds())


def _key(settings: Settings, indicators: tuple[int, ...]) -> str:
    return repr((settings, indicators))
