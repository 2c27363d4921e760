"""Draining: the time between SIGTERM and the end, in which whoever sends requests here learns to send them elsewhere.

/ready is 503, each answer closes its connection, and new requests are still taken. Then the server stops as it would
have done at once.
"""

import asyncio
import logging
import signal
import threading

log = logging.getLogger("uvicorn.error")

begun = False  # of the process, as signals are


def on_sigterm(seconds: int) -> None:
    """Delay the handling of the first SIGTERM by so many seconds; a second one, or an interrupt, is handled at once.

    Call it on the event loop, after Uvicorn has set its own handler.
    """
    handler = signal.getsignal(signal.SIGTERM)
    loop = asyncio.get_running_loop()

    def signalled() -> None:
        global begun
        assert callable(handler)
        if begun:
            handler(signal.SIGTERM, None)
            return
        begun = True
        log.info("draining for %d s; a second SIGTERM ends it", seconds)
        loop.call_later(seconds, handler, signal.SIGTERM, None)

    # Only the main thread may handle signals: a server in another one, as in tests, has none.
    if seconds and callable(handler) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(signalled))
