"""Micro-batching: requests that arrive together share one run of the model and one transaction of the log."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from itertools import groupby
from typing import NamedTuple

from api.http.responses import Prediction
from api.model.answers import Asked, NotFiniteError, answer_of, compute, compute_batch, finite, is_finite
from api.model.loader import Served
from api.prediction_log.repeats import digest
from api.prediction_log.schema import Caller, Entry
from api.prediction_log.writer import Log
from api.telemetry.metrics import Metrics


class Waiting(NamedTuple):
    """A request that waits for its answer by `served`, the model that decoded it."""

    served: Served
    asked: Asked
    answer: "asyncio.Future[Prediction]"


class Predictor:
    def __init__(self, log: Log, metrics: Metrics) -> None:
        self._log = log
        self._metrics = metrics
        self._waiting: list[Waiting] = []
        self._work: asyncio.Task[None] | None = None
        # Empty: what is logged for a group has the id of no single request.
        self._context = Context()
        # One thread for batches, which may take long: of several only one could run Python.
        self._batches = ThreadPoolExecutor(1, "batch")

    def one(self, served: Served, asked: Asked) -> "asyncio.Future[Prediction]":
        """Return the answer to one row of a caller without an idempotency key; the row is in the log before.

        The future raises NotFiniteError or LogError.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Prediction] = loop.create_future()
        self._waiting.append(Waiting(served, asked, answer))
        if self._work is None:
            self._work = loop.create_task(self._answer_all(), context=self._context)
        return answer

    async def keyed(self, served: Served, asked: Asked) -> Prediction:
        """Return the answer to one row with an idempotency key, in a transaction of its own.

        Raises NotFiniteError, KeyReusedError or LogError.
        """
        [answer] = await self._logged(finite(compute(served, [asked], digest(asked[1]))))
        return answer

    async def many(self, served: Served, body: bytes, most: int, caller: Caller) -> list[Prediction]:
        """Return the answers to a batch of at most `most` rows, logged in one transaction.

        Raises what `batch.decode` raises, NotFiniteError, KeyReusedError or LogError; then nothing is logged.
        """
        loop = asyncio.get_running_loop()
        return await self._logged(await loop.run_in_executor(self._batches, compute_batch, served, body, most, caller))

    async def _logged(self, entries: list[Entry]) -> list[Prediction]:
        logged = await self._log.write(entries) if entries else []
        # The answer to a retry was counted when it was new, perhaps as another model's.
        self._metrics.predicted([new.prediction for new, entry in zip(entries, logged, strict=True) if new is entry])
        return [answer_of(entry) for entry in logged]

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                # Wait until no more arrive: a larger group costs each member less, and an idle turn costs nothing.
                seen = 0
                while seen < len(self._waiting):
                    seen = len(self._waiting)
                    await asyncio.sleep(0)
                group, self._waiting = self._waiting, []
                await self._answer(group)
        finally:
            self._work = None

    async def _answer(self, group: list[Waiting]) -> None:
        try:
            done: list[Waiting] = []
            entries: list[Entry] = []
            # A swap between two requests makes two parts.
            for part in (list(run) for _, run in groupby(group, lambda waiting: id(waiting.served))):
                computed = compute(part[0].served, [waiting.asked for waiting in part])
                for waiting, entry in zip(part, computed, strict=True):
                    if is_finite(entry):
                        done.append(waiting)
                        entries.append(entry)
                    elif not waiting.answer.done():
                        waiting.answer.set_exception(NotFiniteError([0]))
            answers = await self._logged(entries)
        except Exception as error:  # each caller gets it
            for waiting in group:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            return
        for waiting, answer in zip(done, answers, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer)
