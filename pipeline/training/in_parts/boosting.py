"""Boosted trees of XGBoost on a training table in parts: each fit is made by all workers together (`xgboost.dask`)."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from sklearn.pipeline import Pipeline

from pipeline.contract.schema import Schema
from pipeline.distributed import together
from pipeline.distributed.client import named_failures
from pipeline.distributed.executor import Executor, InFolder
from pipeline.training import preprocessing, shared_trees
from pipeline.training.cross_validation import Hyperparameters
from pipeline.training.in_parts import partition_rows
from pipeline.training.in_parts.column_statistics import TableStatistics

T = TypeVar("T")
SILENCE = 300  # seconds that a worker waits for a peer that answers nothing; a fit's slowest step must be shorter


class Boosting:
    """`make(settings, indicators)` makes an unfitted numeric pipeline that ends in XGBRegressor."""

    def __init__(
        self,
        run: Executor,
        parts: list[Path],
        schema: Schema,
        statistics: TableStatistics,
        make: Callable[[Hyperparameters, tuple[int, ...]], Pipeline],
    ) -> None:
        self.client, self.parts, self.schema, self.statistics, self.make = run.client, parts, schema, statistics, make

    def fit(self, tried: list[Hyperparameters], indicators: tuple[int, ...], number: int) -> list[Pipeline]:
        """Fit each of the settings to the rows that split `number` trains on, or after the last split to all rows.

        Of settings that differ in the number of rounds alone the largest is fitted; the others are its beginning.
        Raises PipelineError where workers keep leaving.
        """
        blank = np.zeros((2, len(self.schema.features)))
        # A fit to two blank rows sets up what does not depend on the rows.
        pipelines = [self.make(settings, indicators).fit(blank, np.zeros(2)) for settings in tried]
        prepare = pipelines[0][:-1]
        preprocessing.teach(prepare[0], self.statistics.imputed[number])
        groups = [
            sorted(group, key=lambda position: _rounds(pipelines[position][-1]))
            for group in shared_trees.ROUNDS.groups(tried)
        ]
        largest = [pipelines[group[-1]][-1] for group in groups]
        folds = self.statistics.training_folds[number]
        with named_failures(self.client):
            boosters = together.again_without(self.client, lambda: self._fit_together(largest, prepare, folds))
        for group, booster in zip(groups, boosters, strict=True):
            for position in group:
                model = pipelines[position][-1]
                model.load_model(bytearray(booster[: _rounds(model)].save_raw()))
                pipelines[position].steps[0] = pipelines[0].steps[0]
        return pipelines

    def _fit_together(self, models: list[Any], prepare: Pipeline, folds: np.ndarray) -> list[Any]:
        """Return a Booster for each model, an unfitted XGBRegressor; the prepared rows lie in the workers' memory."""
        import dask
        import distributed
        from dask import array
        from xgboost import dask as xgboost_dask
        from xgboost.collective import Config

        gc.collect()  # XGBoost's matrix of the last fit is in a reference cycle, which keeps its rows on the workers
        width = prepare.transform(np.zeros((1, len(self.schema.features)))).shape[1]
        read = dask.delayed(InFolder(_prepared_rows, Path.cwd()), pure=False, nout=2)
        pairs = [read(part, self.schema, prepare, folds) for part in self.parts]
        features = array.concatenate([array.from_delayed(x, (np.nan, width), np.float32) for x, _ in pairs])
        target = array.concatenate([array.from_delayed(y, (np.nan,), np.float64) for _, y in pairs])
        # Together, so that a part is read once; XGBoost by itself would ask for the features and then for the target.
        features, target = self.client.persist([features, target])
        made = distributed.wait(distributed.futures_of([features, target])).done
        if failed := [future for future in made if future.status == "error"]:
            failed[0].result()  # raises it
        boosters = []
        for model in models:
            settings = {k: v for k, v in model.get_xgb_params().items() if v is not None and k != "n_jobs"}
            rows = xgboost_dask.DaskQuantileDMatrix(self.client, features, target, max_bin=settings.get("max_bin", 256))
            address = min(together.alive(self.client))
            host = distributed.comm.get_address_host(address)
            limits = Config(timeout=SILENCE, tracker_timeout=SILENCE, tracker_host_ip=host)
            with _tracker_on(self.client, address):
                fit = xgboost_dask.train(
                    self.client, settings, rows, _rounds(model), coll_cfg=limits, verbose_eval=False
                )
            boosters.append(fit["booster"])
        return boosters


@contextmanager
def _tracker_on(client: Any, address: str) -> Iterator[None]:
    """Start XGBoost's tracker on this worker, in place of the scheduler: where a worker dies while it joins a fit, the
    tracker (XGBoost 3.2) may abort its process, and only a worker has a nanny."""

    async def run_on_worker(function: Callable[..., T], *arguments: Any) -> T:
        found: dict[str, T] = await client.run(function, *arguments, workers=[address])
        return found[address]

    client.run_on_scheduler = run_on_worker
    try:
        yield
    finally:
        del client.run_on_scheduler


def _prepared_rows(part: Path, schema: Schema, prepare: Pipeline, folds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the prepared features, float32 [rows, columns], and the target [rows] of a part's rows of these folds."""
    rows = partition_rows.read(part, schema)
    here = np.isin(rows.fold, folds)
    if not here.any():
        width = prepare.transform(np.zeros((1, len(schema.features)))).shape[1]
        return np.empty((0, width), dtype=np.float32), np.empty(0)
    return prepare.transform(rows.matrix[here]).astype(np.float32), rows.target[here]


def _rounds(model: Any) -> int:
    return int(model.get_num_boosting_rounds())
