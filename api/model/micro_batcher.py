"""Micro-batching: requests that arrive together share one run of the model and one transaction of the log."""

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from itertools import groupby
from typing import NamedTuple

import msgspec
import numpy as np

from api.http.responses import Prediction
from api.model.loader import Served
from api.prediction_log.schema import Entry, new_ids, now
from api.prediction_log.writer import Log
from api.requests import batch
from api.requests.diagnostics import Row
from api.telemetry.metrics import Metrics
from pipeline.contract.columns import matrix_columns

_encode_lines = msgspec.json.Encoder().encode_lines


class NotFiniteError(Exception):
    """The model's answer is not finite, although each value is allowed. `rows`: their numbers."""

    def __init__(self, rows: list[int]) -> None:
        self.rows = rows


class Waiting(NamedTuple):
    """A request that waits for its answer by `served`, the model that decoded it; `sent` is the row's JSON."""

    served: Served
    row: Row
    sent: str
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

    def one(self, served: Served, row: Row, sent: str) -> "asyncio.Future[Prediction]":
        """Return the answer to one row, which is in the log before.

        The future raises NotFiniteError or LogError.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Prediction] = loop.create_future()
        self._waiting.append(Waiting(served, row, sent, answer))
        if self._work is None:
            self._work = loop.create_task(self._answer_all(), context=self._context)
        return answer

    async def many(self, served: Served, body: bytes, most: int) -> list[Prediction]:
        """Return the answers to a batch of at most `most` rows, logged in one transaction.

        Raises what `batch.decode` raises, NotFiniteError or LogError; then nothing is logged.
        """
        loop = asyncio.get_running_loop()
        answers, entries = await loop.run_in_executor(self._batches, _whole, served, body, most)
        if entries:
            await self._log.write(entries)
        self._metrics.predicted([answer.prediction for answer in answers])
        return answers

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
            done: list[tuple[Waiting, Prediction]] = []
            entries: list[Entry] = []
            # A swap between two requests makes two parts.
            for part in (list(run) for _, run in groupby(group, lambda waiting: id(waiting.served))):
                answers, part_entries = compute(part[0].served, [w.row for w in part], [w.sent for w in part])
                for waiting, answer, entry in zip(part, answers, part_entries, strict=True):
                    if math.isfinite(answer.prediction + answer.lower + answer.upper):
                        done.append((waiting, answer))
                        entries.append(entry)
                    elif not waiting.answer.done():
                        waiting.answer.set_exception(NotFiniteError([0]))
            if entries:
                await self._log.write(entries)
        except Exception as error:  # each caller gets it
            for waiting in group:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            return
        self._metrics.predicted([answer.prediction for _, answer in done])
        for waiting, answer in done:
            if not waiting.answer.done():
                waiting.answer.set_result(answer)


def compute(served: Served, rows: list[Row], sent: list[str]) -> tuple[list[Prediction], list[Entry]]:
    """Return the answers of the model to these rows, some perhaps not finite, and their entries of the log."""
    about = served.model.description
    matrix = served.model.inputs(np.array([row.numbers for row in rows], dtype=float))
    results = served.model.predict(matrix).tolist()
    imputed = np.array([about.imputed.get(column.name, math.nan) for column in matrix_columns(about.columns)])
    learned = served.model.inputs(imputed)
    used = _encode_lines(np.where(np.isnan(matrix), learned, matrix).tolist()).decode().splitlines()
    time, md5, promoted = now(), served.md5, served.promoted
    answers, entries = [], []
    keys = new_ids(time, len(rows))
    for key, row, text, as_json, (prediction, lower, upper) in zip(keys, rows, sent, used, results, strict=True):
        answers.append(Prediction(prediction, lower, upper, key, md5, row.imputed))
        entries.append(Entry(key, time, row.own, text, as_json, prediction, lower, upper, md5, promoted))
    return answers, entries


def _whole(served: Served, body: bytes, most: int) -> tuple[list[Prediction], list[Entry]]:
    """Return the answers to a batch and their entries of the log.

    Raises NotFiniteError and what `batch.decode` raises.
    """
    rows, sent = batch.decode(body, served.contract, most)
    answers, entries = compute(served, rows, sent) if rows else ([], [])
    wrong = [n for n, a in enumerate(answers) if not math.isfinite(a.prediction + a.lower + a.upper)]
    if wrong:
        raise NotFiniteError(wrong)
    return answers, entries
