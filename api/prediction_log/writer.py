"""The prediction log of one process: entries are in the database, durably, before `write` returns.

One writer a process. SQLite is written in the event loop's own thread: measured, a switch to another thread costs more
than the transaction (docs/prediction-log.md). PostgreSQL, which may take long to answer, is written from a thread.
"""

import asyncio
import logging
import operator
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from api.prediction_log import queries
from api.prediction_log.connection import KeptConnection
from api.prediction_log.database import PATIENCE, PAUSE, BusyError, LogError, connect
from api.prediction_log.schema import Entry
from api.settings import Settings

_PRUNE_EVERY = 60  # seconds

log = logging.getLogger("uvicorn.error")


class Log:
    """`pending`, `written` and `lost` count entries; lost ones were answered without a log, where that is allowed.

    `timed` is called with the seconds of each transaction. `reason`: why nothing can be written now, None where it can.
    """

    def __init__(self, settings: Settings) -> None:
        self.required = settings.log_required
        self.database = connect(settings.prediction_log_url, settings.log_synchronous)
        self.reason: str | None = "not open yet"
        self.pending = self.written = self.lost = 0
        self.timed: Callable[[float], None] = lambda seconds: None
        self._limits = settings.log_max_days, settings.log_max_rows
        self._inline = self.database.dialect.name == "sqlite"
        self._thread = ThreadPoolExecutor(1, "log")
        self._connection = KeptConnection(self.database)
        self._turn = asyncio.Lock()
        self._next_try = 0.0

    async def start(self) -> None:
        """Open the log and begin to prune it. A log that cannot be opened is tried again later."""
        await self.probe()
        self._pruning = asyncio.create_task(self._prune())

    async def stop(self) -> None:
        self._pruning.cancel()
        await asyncio.wait([self._pruning])
        async with self._turn:
            self._connection.close()
        self._thread.shutdown(wait=False)

    async def write(self, entries: list[Entry]) -> list[Entry]:
        """Return when the entries are durable, all in one transaction: each, or for a retry the one that it repeats.

        Raises KeyReusedError, and LogError where they are not durable and the log is required; otherwise counts them as
        lost.
        """
        self.pending += len(entries)
        try:
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

    async def probe(self) -> str | None:
        """Return why the log cannot be written now, or None; after a failure a write is tried first."""
        if self.reason is not None:
            with suppress(LogError):
                await self._transact([])
        return self.reason

    async def _transact(self, entries: list[Entry]) -> list[Entry]:
        async with self._turn:
            if self.reason is not None and time.monotonic() < self._next_try:
                raise LogError(self.reason)
            begun = time.perf_counter()
            try:
                logged = await self._persist(entries)
            except LogError as error:
                if str(error) != self.reason:
                    log.error("the prediction log cannot be written: %s", error)
                self.reason = str(error)
                self._next_try = time.monotonic() + PAUSE
                raise
            if self.reason is not None:
                log.info("the prediction log can be written: %s", self.database.url.render_as_string())
                self.reason = None
            self.timed(time.perf_counter() - begun)
            return logged

    async def _persist(self, entries: list[Entry]) -> list[Entry]:
        if not self._inline:
            work = asyncio.get_running_loop().run_in_executor(self._thread, self._connection.commit, entries)
            try:
                return await asyncio.wait_for(work, PATIENCE)
            except TimeoutError:
                raise LogError(f"no answer within {PATIENCE} seconds") from None
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._connection.commit(entries)
            except BusyError:
                # Another process has its turn: this one answers others meanwhile.
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.001)

    async def _prune(self) -> None:
        while any(self._limits):
            try:
                while await asyncio.to_thread(queries.prune, self.database, *self._limits) == queries.STEP:
                    await asyncio.sleep(0.05)
            except LogError as error:
                log.warning("old predictions could not be deleted: %s", error)
            await asyncio.sleep(_PRUNE_EVERY)
