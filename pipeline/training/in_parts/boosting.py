"""Boosted trees of XGBoost on a training table in parts: each fit is made by all workers together (`xgboost.dask`)."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import numpy as np
from sklearn.pipeline import Pipeline

from pipeline.contract.columns import matrix_columns
from pipeline.distributed import together
from pipeline.distributed.client import named_failures
from pipeline.distributed.executor import in_this_folder
from pipeline.training import preprocessing
from pipeline.training.cross_validation import Hyperparameters
from pipeline.training.in_parts.column_statistics import training_folds
from pipeline.training.in_parts.learner import Learner, PartRows
from pipeline.training.target import TargetRange

T = TypeVar("T")
SILENCE = 300  # seconds that a worker waits for a peer that answers nothing; a fit's slowest step must be shorter


class Boosting(Learner):
    """A pipeline that ends in XGBRegressor."""

    def fit(self, settings: Hyperparameters, indicators: tuple[int, ...], number: int) -> Pipeline:
        pipeline = self.set_up(settings, indicators)
        prepare, target = pipeline[:-1], pipeline[-1]
        *offsets, target.transformer_.offset_ = self.statistics.offsets[number].tolist()
        # That of all training rows, also where a fold is held out: a power of two teaches nothing.
        target.transformer_.learn_unit(self.statistics.target_std)
        preprocessing.teach(prepare[0], self.statistics.imputed[number], offsets=np.array(offsets))
        folds, client = training_folds(self.statistics.splits)[number], self.parts.run.client
        with named_failures(client):
            make = partial(self._fit_together, client, target, prepare, folds)
            booster = together.again_without(client, make)
        target.regressor_.load_model(bytearray(booster.save_raw()))
        return pipeline

    def _fit_together(self, client: Any, target_model: Any, prepare: Pipeline, folds: np.ndarray) -> Any:
        """Return the Booster of an unfitted XGBRegressor; the prepared rows lie in the workers' memory."""
        import dask
        import distributed
        from dask import array
        from xgboost import dask as xgboost_dask
        from xgboost.collective import Config

        model, on_range = target_model.regressor_, target_model.transformer_
        gc.collect()  # XGBoost's matrix of the last fit is in a reference cycle, which keeps its rows on the workers
        width = _prepared(prepare, np.zeros((1, len(matrix_columns(self.parts.schema.features))))).shape[1]
        read = dask.delayed(in_this_folder(self.parts.reading(_prepared_rows)), pure=False, nout=2)
        pairs = [read(file, prepare, folds, on_range) for file in self.parts.files]
        features = array.concatenate([array.from_delayed(x, (np.nan, width), np.float32) for x, _ in pairs])
        target = array.concatenate([array.from_delayed(y, (np.nan,), np.float64) for _, y in pairs])
        # Together, so that a part is read once; XGBoost by itself would ask for the features and then for the target.
        features, target = client.persist([features, target])
        for future in distributed.wait(distributed.futures_of([features, target])).done:
            if future.status == "error":
                future.result()  # raises it
        settings = {k: v for k, v in model.get_xgb_params().items() if v is not None and k != "n_jobs"}
        rows = xgboost_dask.DaskQuantileDMatrix(client, features, target, max_bin=settings.get("max_bin", 256))
        address = min(together.alive(client))
        host = distributed.comm.get_address_host(address)
        limits = Config(timeout=SILENCE, tracker_timeout=SILENCE, tracker_host_ip=host)
        with _tracker_on(client, address):
            fit = xgboost_dask.train(
                client, settings, rows, model.get_num_boosting_rounds(), coll_cfg=limits, verbose_eval=False
            )
        return fit["booster"]


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


def _prepared_rows(
    rows: PartRows, prepare: Pipeline, folds: np.ndarray, on_range: TargetRange
) -> tuple[np.ndarray, np.ndarray]:
    """Return the prepared features, float32 [rows, columns], and the target in its range [rows] of a part's rows of
    these folds."""
    here = np.isin(rows.fold, folds)
    if not here.any():  # scikit-learn prepares at least one row
        blank = np.zeros((1, rows.matrix.shape[1]))
        return _prepared(prepare, blank)[:0], np.empty(0)
    return _prepared(prepare, rows.matrix[here]), on_range.transform(rows.target[here])


def _prepared(prepare: Pipeline, matrix: np.ndarray) -> np.ndarray:
    prepared: np.ndarray = prepare.transform(matrix).astype(np.float32)
    return prepared
