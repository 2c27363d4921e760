"""Boosted trees and forests of xgboost on a training table in parts, by xgboost.dask.

Each worker holds one share of the rows (`stages.training.shares`). The number of workers decides which rows are
together, and with it the last digits of a model; where a worker is, or whether one died on the way, does not.
"""

import ctypes
import gc
import sys
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from sklearn.pipeline import Pipeline

from stages.engine import Engine
from stages.errors import PipelineError
from stages.training import exact, preparation, search, shares
from stages.training.facts import Facts
from stages.training.lending import borrowed, lent
from stages.training.shares import Share, Shares

T = TypeVar("T")
Settings = dict[str, Any]
TRIES = 4  # of a fit of whose workers one dies
PATIENCE = 60  # seconds for another to take its place
# Seconds for all workers to join a fit, whose rows are in place; xgboost by itself would wait for a dead one for ever.
MEETING = 20
FOLDER = Path("models/candidates")  # where the workers find the models that they judge


class ByXgboost:
    """`make(settings, indicators)` gives an unfitted numeric pipeline that ends in XGBRegressor or XGBRFRegressor."""

    def __init__(self, engine: Engine, known: Facts, make: Callable[[Settings, tuple[int, ...]], Pipeline]) -> None:
        self.engine, self.known, self.make = engine, known, make
        self.shares = Shares(known, self._blank({}, ())[:-1])
        self.kept: dict[str, list[Pipeline]] = {}

    def squared_errors(self, tried: list[Settings], indicators: tuple[int, ...]) -> list[float]:
        """Of each settings the sum of the squared errors over all held rows. Of models that differ in their number of
        rounds alone the largest is fitted: the others are its beginning."""
        rounds = [_rounds(self.make(settings, indicators)) for settings in tried]
        boosted = len(set(rounds)) > 1  # the trees of a forest are one round
        groups = list(search.groups(tried, frozenset({"n_estimators"} if boosted else ())))
        largest = [tried[max(group, key=rounds.__getitem__)] for group in groups]
        counts = [[rounds[place] for place in group] for group in groups]
        totals = np.zeros(len(tried), dtype=object)
        for split, (train, held) in enumerate(self.known.splits):
            models = self._fit(largest, indicators, train, split)
            if len(tried) == 1:  # more would be many models to hold, of which one is asked for again
                self.kept.setdefault(_key(tried[0], indicators), []).append(models[0])
            with lent(list(zip(models, counts, strict=True)), FOLDER) as path:
                judging = partial(_squared_errors, models=path, held=held)
                found = self.engine.map(judging, self.shares.held, f"train: errors, fold {split}")
            totals[[place for group in groups for place in group]] += np.sum(np.array(found, dtype=object), axis=0)
        return [exact.value(total) for total in totals]

    def fits(self, settings: Settings, indicators: tuple[int, ...]) -> list[Pipeline]:
        """Fitted: one of each split, and last the one of all rows."""
        splits = self.known.splits
        everything = np.unique(np.concatenate([folds for split in splits for folds in split]))
        models = self.kept.get(_key(settings, indicators)) or [
            self._fit([settings], indicators, train, place)[0] for place, (train, _) in enumerate(splits)
        ]
        return [*models, *self._fit([settings], indicators, everything, len(splits))]

    def _blank(self, settings: Settings, indicators: tuple[int, ...]) -> Pipeline:
        """Fitted to two rows of nothing, which set up what does not depend on the rows."""
        return self.make(settings, indicators).fit(np.zeros((2, len(self.known.schema.features))), np.zeros(2))

    def _fit(self, each: list[Settings], indicators: tuple[int, ...], folds: np.ndarray, split: int) -> list[Pipeline]:
        pipelines = [self._blank(settings, indicators) for settings in each]
        preparation.teach(pipelines[0][0], self.known.imputed[split])
        mine = partial(shares.of_folds, folds=folds, prepare=pipelines[0][:-1])
        training = partial(_train, self.shares, mine, [p[-1] for p in pipelines])
        boosters = _lasting(self.engine.client, self.engine.workers, training)
        for pipeline, booster in zip(pipelines, boosters, strict=True):
            pipeline.steps[0] = pipelines[0].steps[0]
            pipeline[-1].load_model(booster.save_raw())
        return pipelines


def _lasting(client: Any, number: int, work: Callable[[Any, list[str]], T]) -> T:
    """What `work` gives with the addresses of that many workers, in the order of their names; if one of them dies on
    the way, from the start once there are as many again (a nanny, or the cluster's manager, starts a new one in its
    place).

    Raises PipelineError where workers keep dying or none takes a dead one's place.
    """
    from dask.distributed import TimeoutError as TooLate

    for _ in range(TRIES):
        try:
            client.wait_for_workers(number, timeout=PATIENCE)
        except TooLate:
            break
        workers = _workers(client)[:number]
        try:
            found = work(client, workers)
            why = "while others went on"
        except Exception as error:  # xgboost, Dask and sockets each raise their own when a peer is gone
            if set(workers) <= set(_workers(client)):
                raise
            why = type(error).__name__
        else:
            # Without one of them xgboost may have gone on, to another model.
            if set(workers) <= set(_workers(client)):
                return found
        print(f"a dask worker died ({why}): once more with {number}", flush=True)
    raise PipelineError(
        f"dask gave up: of {number} workers {len(_workers(client))} are left after at most {TRIES} tries of one "
        "fit: give them more memory (engine.memory_share), or start more of them"
    )


def _workers(client: Any) -> list[str]:
    found = client.scheduler_info(n_workers=-1)["workers"]
    return sorted(found, key=lambda address: (len(str(found[address]["name"])), str(found[address]["name"])))


def _train(held: Shares, mine: Callable[[Share], Any], models: list[Any], client: Any, workers: list[str]) -> list[Any]:
    """Boosters of the models' settings, fitted to `mine`, (features, target), of each share. All are in place before
    any fit begins, one a worker."""
    import dask
    import dask.array
    import xgboost.dask
    from xgboost.collective import Config

    _let_go()
    client.run(_let_go, workers=workers)
    there = [shares.at(address) for address in workers]
    both = [client.submit(mine, share, **where) for share, where in zip(held.on(client, workers), there, strict=False)]
    columns = client.submit(_width, both[0]).result()

    def side(number: int, shape: tuple[float, ...]) -> Any:
        found = [client.submit(itemgetter(number), each, **where) for each, where in zip(both, there, strict=False)]
        arrays = [dask.array.from_delayed(dask.delayed(one), shape, dtype=np.float32) for one in found]
        return dask.array.concatenate(arrays, allow_unknown_chunksizes=True)

    features, target = side(0, (np.nan, columns)), side(1, (np.nan,))
    boosters, matrices, meeting = [], {}, Config(tracker_timeout=MEETING)
    for model in models:
        settings = {name: value for name, value in model.get_xgb_params().items() if value is not None}
        settings.pop("n_jobs", None)  # as many threads as the worker has
        bins = settings.get("max_bin", 256)
        if bins not in matrices:
            matrices[bins] = xgboost.dask.DaskQuantileDMatrix(client, features, target, max_bin=bins)
            if len(matrices[bins].worker_map) < len(both):
                raise RuntimeError("two shares are on one worker")
        rounds = model.get_num_boosting_rounds()
        fitted = xgboost.dask.train(client, settings, matrices[bins], num_boost_round=rounds, coll_cfg=meeting)
        boosters.append(fitted["booster"])
    return boosters


def _let_go() -> None:
    """Of the rows of an earlier fit: what holds them, here and in xgboost's iterator over them, is part of a cycle; and
    glibc keeps what is freed ("Worker memory management" in Dask's manual)."""
    gc.collect()
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)


def _width(both: tuple[np.ndarray, np.ndarray]) -> int:
    return both[0].shape[1]


def _squared_errors(share: Share, models: Path, held: np.ndarray) -> list[int]:
    """Of each model and each of its numbers of rounds: the total of the squared errors over the held rows."""
    found = []
    for pipeline, counts in borrowed(models):
        features, target = shares.of_folds(share, held, pipeline[:-1])
        for count in counts:
            predicted = pipeline[-1].predict(features, iteration_range=(0, count)) if len(target) else target
            found.append(exact.total(np.square(predicted - target)))
    return found


def _rounds(pipeline: Pipeline) -> int:
    return int(pipeline[-1].get_num_boosting_rounds())


def _key(settings: Settings, indicators: tuple[int, ...]) -> str:
    return repr((settings, indicators))
