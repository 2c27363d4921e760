"""One fit of xgboost by several workers of Dask at once, each on a share of the rows that stays on its disk.

xgboost's own interface to Dask takes rows from the workers' memory, and needs them there as long as a fit. This is what
it does underneath: a tracker at which the workers meet (as in "Distributed XGBoost with external memory", XGBoost 3.2's
documentation), and an iterator that xgboost bins the rows from. The number of workers decides which rows are together,
and with it the last digits of a model; where a worker is, or whether one died on the way, does not.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import xgboost
from sklearn.pipeline import Pipeline
from xgboost.collective import CommunicatorContext
from xgboost.tracker import RabitTracker

from pipeline.contract.errors import PipelineError
from pipeline.distributed.executor import Executor
from pipeline.training.in_parts import row_shards
from pipeline.training.in_parts.row_shards import Share

T = TypeVar("T")
KEPT = 2**24  # values of a fit's rows that are kept in memory for xgboost's five passes; more are read for each
TRIES = 4  # of a fit of whose workers one dies
PATIENCE = 60  # seconds for another to take its place
# Seconds for all workers to join a fit, whose rows are in place; xgboost by itself would wait for a dead one for ever.
MEETING = 20
STUCK = 2 * MEETING  # seconds until a worker that waits for others all the same ends itself


class Fit(NamedTuple):
    """Unfitted `models` (XGBRegressor), all to be fitted to the rows of `folds` as `prepare`, fitted or
    taught, gives them."""

    models: list[Any]
    folds: np.ndarray
    prepare: Pipeline


class Seat(NamedTuple):
    """One worker's place in a fit: its `number`, which decides the order of the rows, its `address` and its share."""

    number: int
    address: str
    share: Share


def fit(engine: Executor, workers: list[str], held: list[Share], task: Fit) -> list[bytes]:
    """The fitted models, as `load_model` takes them; a share a worker."""
    seats = [Seat(number, workers[number], share) for number, share in enumerate(held)]
    engine.map(row_shards.make, held, "train: rows", workers)  # all in place before any waits for another
    (meeting,) = engine.client.run(_meet, len(held), workers=workers[:1]).values()
    found: list[list[bytes]] = engine.map(partial(_sit, task=task, meeting=meeting), seats, "train: fit", workers)
    return found[0]


def lasting(engine: Executor, work: Callable[[list[str]], T]) -> T:
    """What `work` gives with the addresses of as many workers as there were at the start, in the order of their names;
    if one of them dies on the way, from the start once there are as many again (a nanny, or the cluster's manager,
    starts a new one in its place).

    Raises PipelineError where workers keep dying or none takes a dead one's place.
    """
    from dask.distributed import TimeoutError as TooLate

    client, number = engine.client, engine.workers
    for _ in range(TRIES):
        try:
            client.wait_for_workers(number, timeout=PATIENCE)
        except TooLate:
            break
        workers = alive(client)[:number]
        try:
            found = work(workers)
            why = "while others went on"
        except Exception as error:  # xgboost, Dask and sockets each raise their own when a peer is gone
            if set(workers) <= set(alive(client)):
                raise
            why = type(error).__name__
        else:
            # Without one of them xgboost may have gone on, to another model.
            if set(workers) <= set(alive(client)):
                return found
        print(f"a dask worker died ({why}): once more with {number}", flush=True)
    raise PipelineError(
        f"dask gave up: of {number} workers {len(alive(client))} are left after at most {TRIES} tries of one "
        "fit: give them more memory (engine.memory_share), or start more of them"
    )


def alive(client: Any) -> list[str]:
    found = client.scheduler_info(n_workers=-1)["workers"]
    return sorted(found, key=lambda address: (len(str(found[address]["name"])), str(found[address]["name"])))


def _meet(number: int, dask_worker: Any) -> dict[str, Any]:
    """Start a tracker on this worker; what others need to come to it."""
    from distributed.comm import get_address_host

    host = get_address_host(dask_worker.address)
    tracker = RabitTracker(n_workers=number, host_ip=host, sortby="task", timeout=MEETING)
    tracker.start()
    threading.Thread(target=_wait_for, args=(tracker,), daemon=True).start()
    return dict(tracker.worker_args())


def _wait_for(tracker: RabitTracker) -> None:
    with suppress(xgboost.core.XGBoostError):  # a worker is gone, which the others say too
        tracker.wait_for()


def _sit(seat: Seat, task: Fit, meeting: dict[str, Any]) -> list[bytes]:
    """This worker's part of the fit; all give the same models, the first one hands them over."""
    from dask.distributed import get_worker

    worker = get_worker()
    if worker.address != seat.address:
        raise ConnectionError(f"the worker at {seat.address} is gone")
    threads = {"nthread": worker.state.nthreads}
    settings = [
        {k: v for k, v in model.get_xgb_params().items() if v is not None and k != "n_jobs"} for model in task.models
    ]
    found: dict[int, bytes] = {}
    with _joined(meeting, seat.number):
        for bins in dict.fromkeys(each.get("max_bin", 256) for each in settings):
            rows = xgboost.QuantileDMatrix(_Rows(seat.share, task), max_bin=bins, **threads)
            for place, (model, each) in enumerate(zip(task.models, settings, strict=True)):
                if each.get("max_bin", 256) == bins:
                    booster = xgboost.train(each | threads, rows, num_boost_round=model.get_num_boosting_rounds())
                    found[place] = bytes(booster.save_raw())
            del rows  # before the next are made
    return [found[place] for place in sorted(found)] if seat.number == 0 else []


@contextmanager
def _joined(meeting: dict[str, Any], number: int) -> Iterator[None]:
    """In the block this worker is one of the fit's. For a peer that died when the tracker had seen it, and this worker
    had not, xgboost waits without a limit and deaf to everything, so that only the end of this process helps; its nanny
    starts another."""
    end = threading.Timer(STUCK, os._exit, (1,))
    end.daemon = True
    end.start()
    with ExitStack() as stack:
        try:
            stack.enter_context(CommunicatorContext(**meeting, dmlc_task_id=f"{number:08}"))
        finally:
            end.cancel()
        yield


class _Rows(xgboost.DataIter):
    """A share's rows of some folds, a piece at a time; one without rows where there are none."""

    def __init__(self, share: Share, task: Fit) -> None:
        super().__init__()
        self.share, self.task = share, task
        self.kept = list(self._blocks()) if row_shards.values(share) <= KEPT else None
        self.reset()

    def reset(self) -> None:
        self.blocks = self._blocks() if self.kept is None else iter(self.kept)

    def next(self, input_data: Callable[..., Any]) -> bool:
        for features, target in self.blocks:
            input_data(data=features, label=target)
            return True
        return False

    def _blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        empty = True
        for piece in row_shards.pieces(self.share):
            features, target = row_shards.of_folds(piece, self.task.folds, self.task.prepare)
            if len(target):
                empty = False
                yield features, target
        if empty:
            width = row_shards.columns(self.task.prepare, len(self.share.schema.features))
            yield np.empty((0, width), dtype=np.float32), np.empty(0)
