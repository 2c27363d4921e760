"""The prediction log of one process: entries are in the database, durably, before `write` returns.

One writer a process. SQLite is written in the event loop's own thread: measured, a switch to another thread costs more
than the transaction (docs/prediction-log.md). PostgreSQL, which may take long to answer, is written from a thread.
"""

import asyncio
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
from sqlalchemy import Connection

from api.prediction_log import database, queries, schema
from api.prediction_log.database import PATIENCE, PAUSE, BusyError, LogError
from api.prediction_log.schema import Entry
from api.settings import Settings

_PRUNE_EVERY = 60  # seconds

log = logging.getLogger("uvicorn.error")


class Log:
    """`written` and `lost` count entries: lost ones were answered without being logged, where that is allowed.
    `pending` ones are being written. `seconds` is what the last transaction took. `reason` says why the log is away,
    None while it works."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.engine = database.connect(settings.prediction_log_url, settings.log_synchronous)
        self._inline = self.engine.dialect.name == "sqlite"
        self._thread = ThreadPoolExecutor(1, "log")
        self._connection: Connection | None = None
        self._file: tuple[int, int] | None = None
        self._turn = asyncio.Lock()
        self._next_try = 0.0
        self._pruning: asyncio.Task[None] | None = None
        self.reason: str | None = "not open yet"
        self.written = 0
        self.lost = 0
        self.pending = 0
        self.seconds = 0.0

    @property
    def required(self) -> bool:
        return self._settings.log_required

    async def start(self) -> None:
        """Open it, and begin to prune; where it cannot be opened `reason` says why, and it is tried again."""
        await self.probe()
        if self._settings.log_max_days or self._settings.log_max_rows:
            self._pruning = asyncio.create_task(self._prune())

    async def stop(self) -> None:
        if self._pruning:
            self._pruning.cancel()
            with suppress(asyncio.CancelledError):
                await self._pruning
        async with self._turn:
            self._close()
        self._thread.shutdown(wait=False)
        self.engine.dispose()

    async def write(self, entries: list[Entry]) -> None:
        """Return when the entries are durable, all in one transaction.

        Raises LogError where they are not and the log is required; otherwise counts them as lost.
        """
        self.pending += len(entries)
        try:
            await self._transact(entries)
        except LogError:
            if self.required:
                raise
            self.lost += len(entries)
        else:
            self.written += len(entries)
        finally:
            self.pending -= len(entries)

    async def probe(self) -> str | None:
        """Return why the log cannot be written now, or None; after a failure a write is tried first."""
        if self.reason is not None:
            with suppress(LogError):
                await self._transact([])
        return self.reason

    async def _transact(self, entries: list[Entry]) -> None:
        async with self._turn:
            if self.reason is not None and time.monotonic() < self._next_try:
                raise LogError(self.reason)
            begun = time.perf_counter()
            try:
                await self._persist(entries)
            except LogError as error:
                if str(error) != self.reason:
                    log.error("the prediction log cannot be written: %s", error)
                self.reason = str(error)
                self._next_try = time.monotonic() + PAUSE
                raise
            if self.reason is not None:
                log.info("the prediction log can be written: %s", self.engine.url.render_as_string())
                self.reason = None
            self.seconds = time.perf_counter() - begun

    async def _persist(self, entries: list[Entry]) -> None:
        if not self._inline:
            work = asyncio.get_running_loop().run_in_executor(self._thread, self._commit, entries)
            try:
                await asyncio.wait_for(work, PATIENCE)
            except TimeoutError:
                raise LogError(f"no answer within {PATIENCE} seconds") from None
            return
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._commit(entries)
            except BusyError:
                # Another process has its turn: this one answers others meanwhile.
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.001)

    def _commit(self, entries: list[Entry]) -> None:
        try:
            with database.translated():
                connection = self._connected()
                database.begin(connection)
                if entries:
                    schema.insert(connection, entries)
                else:
                    connection.execute(schema.PROBE)
                connection.commit()
        except BusyError:
            if self._connection is not None:
                self._connection.rollback()
            raise
        except LogError:
            self._close()
            raise

    def _connected(self) -> Connection:
        # A file that was deleted or replaced takes writes that nobody will ever read.
        if self._connection is not None and self._inline and _identity(self.engine.url.database) != self._file:
            self._close()
        if self._connection is None:
            database.create(self.engine)
            self._connection = self.engine.connect()
            if self._inline:
                # Waiting is done by `_persist`, not inside of SQLite, where it would stop the event loop.
                self._connection.exec_driver_sql("PRAGMA busy_timeout = 0")
                self._connection.commit()
                self._file = _identity(self.engine.url.database)
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
            self.engine.dispose()

    async def _prune(self) -> None:
        limits = self._settings.log_max_days, self._settings.log_max_rows
        while True:
            try:
                while await asyncio.to_thread(queries.prune, self.engine, *limits) == queries.STEP:
                    await asyncio.sleep(0.05)
            except LogError as error:
                log.warning("old predictions could not be deleted: %s", error)
            await asyncio.sleep(_PRUNE_EVERY)


def new_ids(milliseconds: int, count: int) -> list[str]:
    """Version 7 UUIDs as 32 hexadecimal digits: those of a later moment are greater, so an index grows at its end."""
    ids = np.frombuffer(os.urandom(16 * count), dtype=np.uint8).reshape(count, 16).copy()
    ids[:, :6] = list(milliseconds.to_bytes(6, "big"))
    # RFC 9562, section 5.7: four bits of version, two of variant, the others random.
    ids[:, 6] = ids[:, 6] & 0x0F | 0x70
    ids[:, 8] = ids[:, 8] & 0x3F | 0x80
    digits = ids.tobytes().hex()
    return [digits[start : start + 32] for start in range(0, len(digits), 32)]


def _identity(path: str | None) -> tuple[int, int] | None:
    try:
        found = os.stat(path or "")
    except OSError:
        return None
    return found.st_dev, found.st_ino
