"""Where the work on the parts of a table is done: in this process (pandas), or by the workers of Dask.

Workers see the project's folder under the same path as this process. They hold nothing that the files do not: what a
dead worker was doing, another does again.
"""

import os
import platform
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from pipeline.contract import params
from pipeline.contract.errors import PipelineError
from pipeline.distributed.client import away, connect

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor:
    """`client`: the `distributed.Client` of Dask; None for pandas. `workers`: how many it had at the start."""

    def __init__(self, client: Any = None) -> None:
        self.client = client
        self.workers = len(client.nthreads()) if client else 0

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], label: str, where: Sequence[str] = ()
    ) -> list[Result]:
        """The results in the order of the items, under a progress bar; the first failure is raised as it is. `where`:
        the address of the worker for each item; another does it where that one is gone.

        Raises PipelineError where Dask cannot go on: the scheduler is away, or an item has killed several workers.
        """
        todo = list(items)
        with tqdm(total=len(todo), desc=label, disable=None) as progress:
            if self.client is None:
                return [_step(function(item), progress) for item in todo]
            return _distributed(self.client, function, todo, label, progress, where=where)

    def fold(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        label: str,
        add: Callable[[Result, Result], Result],
    ) -> Result:
        """The results added up in the order of the items, with the errors of `map`; workers add neighbours, so that
        this process sees nothing but the sum. At least one item."""
        todo = list(items)
        with tqdm(total=len(todo), desc=label, disable=None) as progress:
            if self.client is None:
                return reduce(add, (_step(function(item), progress) for item in todo))
            return _distributed(self.client, function, todo, label, progress, add)[0]

    @contextmanager
    def fan_out(self) -> Iterator[None]:
        """What joblib runs in parallel in the block runs on the workers, where there are some."""
        if self.client is None:
            yield
            return
        import joblib

        with joblib.parallel_config("dask", client=self.client):
            yield


def _distributed(
    client: Any,
    function: Callable[[Item], Result],
    items: list[Item],
    label: str,
    progress: tqdm,
    add: Callable[[Result, Result], Result] | None = None,
    where: Sequence[str] = (),
) -> list[Result]:
    from dask.distributed import CancelledError, KilledWorker, as_completed

    task = InFolder(function, Path.cwd())
    # Keys of their own: Dask would take equal ones of an earlier run on the same scheduler for the same work.
    run = uuid.uuid4().hex
    futures = [
        client.submit(task, item, key=(f"{label} {run}", number), **_at(where[number : number + 1]))
        for number, item in enumerate(items)
    ]
    total = [] if add is None else [_sum(client, add, futures, f"{label}, sums {run}")]
    found: dict[int, Result] = {}
    try:
        # Not with_results: of a scheduler that went away it would hand out the errors as results.
        for future in as_completed(futures):
            if not total or future.status != "finished":
                found[future.key[1]] = future.result()
            if future not in total:  # as it is of one part
                future.release()
            progress.update()
        if total:
            return [total[0].result()]
    except KilledWorker as error:
        raise PipelineError(
            f"dask gave up: {error.allowed_failures + 1} workers died of one part ({error.last_worker.address} was "
            "the last): give them more memory (engine.memory_share), or cut the raw table into smaller files"
        ) from None
    except (CancelledError, OSError) as error:
        if client.status == "running" and isinstance(error, OSError):
            raise
        raise PipelineError(away(client.scheduler.address, error)) from None
    finally:
        _stop(client, [*futures, *total])
    return [found[number] for number in range(len(items))]


def _at(workers: Sequence[str]) -> dict[str, Any]:
    return {"workers": list(workers), "allow_other_workers": True} if workers else {}


def _sum(client: Any, add: Callable[[Result, Result], Result], futures: list[Any], label: str) -> Any:
    """The future of their sum: of neighbours, two at a time, before more parts are begun."""
    sums, made = futures, 0
    while len(sums) > 1:
        pairs = list(zip(sums[::2], sums[1::2], strict=False))
        keys = [(label, made + number) for number in range(len(pairs))]
        made += len(pairs)
        added = [client.submit(add, *pair, key=key, priority=1) for pair, key in zip(pairs, keys, strict=True)]
        sums = [*added, *sums[2 * len(pairs) :]]
    return sums[0]


def _stop(client: Any, futures: list[Any]) -> None:
    """After a failure: cancel what waits, and wait for what runs, which nothing stops and which may write files."""
    from dask.distributed import wait

    if client.status == "running":
        running = {key for keys in client.processing().values() for key in keys}
        # Not what is released already: with some of that, which a sum still needs, the scheduler would hang up.
        client.cancel([future for future in futures if future.status == "pending" and future.key not in running])
        wait([future for future in futures if future.key in running])


class InFolder:
    """A function that runs in the project's folder, wherever the worker was started."""

    def __init__(self, function: Callable[[Any], Any], folder: Path) -> None:
        self.function, self.folder = function, folder

    def __call__(self, item: Any) -> Any:
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise PipelineError(
                f"a worker on {platform.node()} does not see {self.folder} ({error.strerror}): mount it there too"
            ) from None
        return self.function(item)


@contextmanager
def start(settings: params.Engine) -> Iterator[Executor]:
    """The engine of params.yaml; what it started ends with the block.

    Raises PipelineError where Dask is not installed, and where the scheduler at DASK_SCHEDULER_ADDRESS is away.
    """
    if settings.name == "pandas":
        yield Executor()
        return
    with connect(settings.memory_share) as client:
        yield Executor(client)


def _step(result: Result, progress: tqdm) -> Result:
    progress.update()
    return result
