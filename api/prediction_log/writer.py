"""The prediction log of one process: entries are in the database, durably, before `write` returns.

One writer a process. SQLite is written in the event loop's own thread while it is quick: measured, a switch to another
thread costs more than the transaction (docs/prediction-log.md). All that may wait has a thread: opening and closing the
log, a slow disk, and PostgreSQL.
"""

import asyncio
import logging
import operator
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from api.prediction_log import retention
from api.prediction_log.connection import KeptConnection
from api.prediction_log.database import PATIENCE, PAUSE, BusyError, LogError, connect
from api.prediction_log.schema import Entry
from api.settings import Settings

# Seconds of a transaction after which the next one has a thread.
_SLOW = 0.1
# Seconds that a start waits for the log; then the server answers that it is not ready.
_START = 2
_TEND_EVERY = 60  # seconds

log = logging.getLogger("uvicorn.error")
Answer = TypeVar("Answer")


class Log:
    """`pending`, `written` and `lost` count entries; lost ones were answered without a log, where that is allowed.

    `bytes`: the size in the database, once a minute. `reason`: why nothing can be written now, None where it can.
    `observe` gets the seconds of each transaction.
    """

    def __init__(self, settings: Settings) -> None:
        self.required = settings.log_required
        self.database = connect(settings.prediction_log_url, settings.log_synchronous)
        self.reason: str | None = "not open yet"
        self.pending = self.written = self.lost = self.bytes = 0
        self.observe: Callable[[float], object] = lambda _: None
        self._limits = settings.log_max_days, settings.log_max_rows
        self._is_file = self.database.dialect.name == "sqlite"
        self._inline = False
        self._thread = ThreadPoolExecutor(1, "log")
        self._connection = KeptConnection(self.database)
        self._turn = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open the log, and begin to keep it open and to tend it."""
        opening = asyncio.create_task(self._probe())
        await asyncio.wait([opening], timeout=_START)
        self._tasks = [opening, asyncio.create_task(self._keep_open()), asyncio.create_task(self._tend())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        async with self._turn:
            with suppress(LogError):
                await self._in_thread(self._connection.close)
        self._thread.shutdown(wait=False)

    async def write(self, entries: list[Entry]) -> list[Entry]:
        """Return when the entries are durable, all in one transaction: each, or for a retry the one that it repeats.

        Raises KeyReusedError, and LogError where they are not durable and the log is required; otherwise counts them as
        lost.
        """
        self.pending += len(entries)
        try:
            self._refuse()
            logged = await self._transact(entries)
            self.written += sum(map(operator.is_, logged, entries))
            return logged
        except LogError:
            if self.required:
                raise
            self.lost += len(entries)
            return entries
        finally:
            self.pending -= len(entries)

    async def run(self, query: Callable[..., Answer], *arguments: Any) -> Answer:
        """Return what a query of the database returns, from a thread. Raises LogError, at once after a failure."""
        self._refuse()
        try:
            return await _in_time(asyncio.to_thread(query, self.database, *arguments))
        except LogError as error:
            self._fail(error)
            raise

    def _refuse(self) -> None:
        """Raise LogError while the log cannot be written: only `_keep_open` tries then."""
        if self.reason is not None:
            raise LogError(self.reason)

    def _fail(self, error: LogError) -> None:
        if str(error) != self.reason:
            log.error("the prediction log cannot be written: %s", error)
        self.reason = str(error)

    async def _transact(self, entries: list[Entry]) -> list[Entry]:
        """Write the entries in one transaction, or the probe's row; raises KeyReusedError and LogError."""
        async with self._turn:
            if entries:
                self._refuse()  # the transaction before may have failed
            begun = time.perf_counter()
            try:
                logged = await self._persist(entries)
            except LogError as error:
                self._inline = False
                self._thread.submit(self._connection.close)
                self._fail(error)
                raise
            if self.reason is not None:
                log.info("the prediction log can be written: %s", self.database.url.render_as_string())
                self.reason = None
            seconds = time.perf_counter() - begun
            self._inline = self._is_file and seconds < _SLOW
            self.observe(seconds)
            return logged

    async def _persist(self, entries: list[Entry]) -> list[Entry]:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if self._inline and (current := self._connection.current()):
                    return self._connection.commit(entries, current)
                # What the thread was given before ends first: nothing uses the connection twice at a time.
                self._inline = False
                return await self._in_thread(self._connection.commit, entries)
            except BusyError:
                # Another process has its turn: this one answers others meanwhile.
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.001)

    async def _in_thread(self, work: Callable[..., Answer], *arguments: Any) -> Answer:
        return await _in_time(asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments))

    async def _probe(self) -> None:
        with suppress(LogError):
            await self._transact([])

    async def _keep_open(self) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            if self.reason is not None:
                await self._probe()

    async def _tend(self) -> None:
        """Delete what is over the limits, and measure the log, again and again."""
        while True:
            try:
                while await asyncio.to_thread(retention.prune, self.database, *self._limits) == retention.STEP:
                    await asyncio.sleep(0.05)
                self.bytes = await asyncio.to_thread(retention.size, self.database)
            except (LogError, OSError) as error:
                log.warning("old predictions could not be deleted, or the log not be measured: %s", error)
            await asyncio.sleep(_TEND_EVERY)


async def _in_time(work: Awaitable[Answer]) -> Answer:
    try:
        return await asyncio.wait_for(work, PATIENCE)
    except TimeoutError:
        raise LogError(f"no answer within {PATIENCE} seconds") from None
