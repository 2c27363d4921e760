"""Work that needs all workers of Dask at once, as a fit by `xgboost.dask` does, and workers that leave it.

When one leaves, the others mostly stop with an error. While XGBoost's workers join a fit, they may wait for it without
a limit (3.2), so they are restarted. Then the work starts again with the workers that are left.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, TypeVar

from pipeline.contract.errors import PipelineError

T = TypeVar("T")
RETRIES = 3  # of work that a worker left
PATIENCE = 30  # seconds for another worker to take its place
GRACE = 10  # seconds until workers that outlived another are restarted
HEARSAY = 5  # seconds in which the scheduler, after its peers, hears that a worker is gone


def again_without(client: Any, work: Callable[[], T]) -> T:
    """Return the result of `work`, which needs all workers at once; when one leaves, start it again with those that are
    left, or with as many as before where another soon takes its place.

    Raises PipelineError where workers left it more often than RETRIES, or none is left; errors of its own as they are.
    """
    from dask.distributed import TimeoutError as TooLate

    for _ in range(1 + RETRIES):
        with suppress(TooLate):
            client.wait_for_workers(1, timeout=PATIENCE)
        if not (workers := alive(client)):
            break
        try:
            return _watched(client, workers, work)
        except Exception as error:  # XGBoost, Dask and sockets each raise their own when a peer is gone
            time.sleep(HEARSAY)
            if workers <= alive(client):
                raise
            print(f"a dask worker left ({type(error).__name__}): the fit starts again", flush=True)
        with suppress(TooLate):
            client.wait_for_workers(len(workers), timeout=PATIENCE)
    raise PipelineError(
        f"dask gave up: {len(alive(client))} workers are left after {1 + RETRIES} starts of one fit at most: give them "
        "more memory (engine.memory_share), or start more of them"
    )


def alive(client: Any) -> set[str]:
    """Return the addresses of the workers that the scheduler knows."""
    return set(client.scheduler_info(n_workers=-1)["workers"])


def _watched(client: Any, workers: set[str], work: Callable[[], T]) -> T:
    pool = ThreadPoolExecutor(1)
    try:
        fit = pool.submit(work)
        while wait([fit], timeout=1).not_done:
            if not workers <= alive(client):
                if wait([fit], timeout=GRACE).not_done:  # the others wait for it without a limit
                    client.restart_workers(sorted(workers & alive(client)))
                return fit.result(timeout=PATIENCE)
        return fit.result()
    finally:
        pool.shutdown(wait=False)
