"""Hot reload: serve another model when the served file or DVC's record of it changes, and on SIGHUP.

The new model passes every check of the start, in a thread, and replaces the old one between two requests. If a check
fails, the old one stays. A request keeps the model that it began with.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from api.model import loader, model_files
from api.model.loader import Served, Serving
from api.model.model_files import Seen
from api.telemetry.metrics import Metrics
from pipeline.contract.errors import PipelineError

log = logging.getLogger("uvicorn.error")

POLL = 1.0  # seconds; a few stat calls each time
PATIENCE = 10.0  # seconds that they may take: a network file system may hang
LOADING = 120.0  # seconds that a model may take to be read and checked
# Seconds in which file and record may disagree: a promotion replaces one after the other, and who copies a model by
# hand runs `dvc add` afterwards.
GRACE = 15.0

Answer = TypeVar("Answer")


class Reloader:
    """Replaces the model of one `Serving` when its files change, and on SIGHUP."""

    def __init__(self, serving: Serving, metrics: Metrics) -> None:
        self._serving = serving
        self._metrics = metrics
        self._asked = asyncio.Event()
        # One thread of its own: a file system that hangs takes no other.
        self._thread = ThreadPoolExecutor(1, "watch")
        # The files of the last attempt to load a model; None if they could not be read.
        self._seen: Seen | None = None
        # What is wrong with the files as they are now, and when to report it.
        self._trouble: tuple[str, float] | None = None
        self._sick: str | None = None  # why the files could not be read a second ago

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Load the first model, and watch until the end."""
        try:
            now = self._see()
            self._serving.start()
            self._seen = now
        except OSError as error:
            self._failed(error)
        if self._serving.served:
            self._metrics.serves(self._serving.served)
        task = asyncio.create_task(self._watch())
        # Some systems have no such signal, and only the main thread may handle it.
        with contextlib.suppress(AttributeError, RuntimeError, ValueError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._asked.set)
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self._thread.shutdown(wait=False)

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), POLL)
            asked = self._asked.is_set()
            self._asked.clear()
            try:
                self._metrics.refresh()
                await self._look(asked)
            except Exception as error:  # the watch goes on, whatever happens
                self._failed(error)
            else:
                if self._sick:
                    log.info("the model files can be watched again")
                self._sick = None

    async def _look(self, asked: bool) -> None:
        """Look for another model, and try it.

        Raises OSError or TimeoutError if the files cannot be read: the next look tries again.
        """
        now = await self._in_time(PATIENCE, self._see)
        if asked or now != self._seen:
            trouble = await self._try()
            self._seen = now
            self._trouble = (trouble, time.monotonic() + (0 if asked else GRACE)) if trouble else None
        if self._trouble and time.monotonic() >= self._trouble[1]:
            self._refuse(self._trouble[0])
            self._trouble = None

    async def _in_time(self, seconds: float, work: Callable[..., Answer], *arguments: Any) -> Answer:
        try:
            return await asyncio.wait_for(
                asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments), seconds
            )
        except TimeoutError:
            raise TimeoutError(f"no answer within {seconds} seconds") from None

    def _see(self) -> Seen:
        self._serving.artifacts = {
            path.as_posix(): path.is_file() for path in loader.candidates(self._serving.settings)
        }
        return model_files.seen(self._serving)

    def _failed(self, error: Exception) -> None:
        """Count a look that failed, and report it unless the last one failed as well in the same way."""
        self._metrics.watch_failed()
        reason, served = f"{type(error).__name__}: {error}", self._serving.served
        if reason == self._sick:
            return
        self._sick = reason
        if served is None:
            self._serving.reason = f"the model files cannot be read: {reason}"
        log.error(
            "the model files cannot be watched: %s; %s",
            reason,
            f"serving on with md5 {served.md5}" if served else "not ready",
            exc_info=None if isinstance(error, OSError) else error,
        )

    async def _try(self) -> str | None:
        """Swap the models; return what is wrong if that fails."""
        before = self._serving.served
        try:
            # The look for the path may wait as well as the reading.
            after = await self._in_time(
                LOADING, lambda: loader.load(model_files.path(self._serving), self._serving.settings)
            )
        except PipelineError as error:
            return str(error)
        except OSError:
            raise
        except Exception as error:
            log.error("unexpected error while a model was checked", exc_info=error)
            return f"{type(error).__name__}: {error}"
        if before and _identity(before) == _identity(after):
            log.info("serving on with md5 %s: no other model was found", before.md5)
            return None
        self._serving.served = after
        self._metrics.serves(after)
        self._metrics.swapped("ok")
        # Tracebacks of refused requests hold the old model in cycles, and the collector rarely runs (api.app).
        gc.collect()
        log.info("now serving %s (%s)", loader.summary(after), after.standing)
        return None

    def _refuse(self, reason: str) -> None:
        self._metrics.swapped("refused")
        if self._serving.served:
            log.error("refused: %s; serving on with md5 %s", reason, self._serving.served.md5)
        else:
            self._serving.reason = reason
            log.error("not ready: %s", reason)


def _identity(served: Served) -> tuple[object, ...]:
    return served.path, served.md5, served.unpromoted, served.version, served.revision
