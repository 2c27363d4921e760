"""The one handle on workers: runs functions in this process (engine pandas) or on the workers of Dask.

Workers see the project's folder under the same path as this process. They hold nothing that cannot be made again: Dask
repeats the work of a worker that died.
"""

import os
import platform
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, reduce
from pathlib import Path
from typing import Any, TypeVar

import joblib
from tqdm import tqdm

from pipeline.contract import params
from pipeline.contract.errors import PipelineError
from pipeline.distributed.client import connect, named_failures

Item = TypeVar("Item")
Result = TypeVar("Result")
NEIGHBOURS = 8  # results that one task adds up


class Executor:
    """`client`: the `distributed.Client`; None runs everything in this process."""

    def __init__(self, client: Any = None) -> None:
        self.client = client

    def map(
        self,
        function: Callable[..., Result],
        items: Iterable[Item],
        label: str,
        *shared: Any,
        threads: int = 1,
        bar: tqdm | None = None,
    ) -> list[Result]:
        """Return `function(item, *shared)` of each item in their order, under a progress bar with the label, or with a
        `bar` that goes forward by 1 over all items.

        `threads`: how many items this process works on at a time, -1 for one a core; workers take one each.
        The first failure is raised as it is.
        Raises PipelineError where Dask cannot go on: the scheduler is away, or an item has killed several workers.
        """
        todo = list(items)
        if self.client is None:
            # Threads: fitting releases Python's lock, and a process would first have to import what this one has.
            parallel = joblib.Parallel(threads, prefer="threads", return_as="generator")
            results = parallel(joblib.delayed(function)(item, *shared) for item in todo)
            with _progress(bar, label, len(todo)) as done:
                return [(result, done())[0] for result in results]
        with named_failures(self.client), _progress(bar, label, len(todo)) as done:
            # Not joblib's Dask backend: it scatters `shared`, and waits for ever where workers die meanwhile.
            return _map_on_workers(self.client, function, todo, shared, label, done)

    def fold(
        self, function: Callable[[Item], Result], items: Sequence[Item], add: Callable[[Result, Result], Result]
    ) -> Result:
        """Return the sum of `function(item)` over at least one item, with the errors of `map`.

        The workers add neighbours, so that no process holds many results. The order of the sums depends on the number
        of items alone.
        """
        if self.client is None:
            return reduce(add, map(function, items))
        from dask import bag

        results = bag.from_sequence(items, partition_size=1).map(in_this_folder(function))
        with named_failures(self.client):
            total: Result = self.client.compute(results.fold(add, split_every=NEIGHBOURS)).result()
        return total


@contextmanager
def _progress(bar: tqdm | None, label: str, items: int) -> Iterator[Callable[[], object]]:
    """Yield what is called after each item; a bar of its own ends with the block."""
    if bar is not None:
        yield lambda: bar.update(1 / items)
        return
    with tqdm(desc=label, total=items, disable=None) as own:
        yield own.update


def in_this_folder(function: Callable[..., Result]) -> Callable[..., Result]:
    """Return the function as one that runs in this process's folder, wherever the worker was started."""
    return partial(_in_folder, Path.cwd(), function)


def _in_folder(folder: Path, function: Callable[..., Result], *arguments: Any) -> Result:
    try:
        os.chdir(folder)
    except OSError as error:
        raise PipelineError(
            f"a worker on {platform.node()} does not see {folder} ({error.strerror}): mount it there too"
        ) from None
    return function(*arguments)


@contextmanager
def start(engine: params.Engine) -> Iterator[Executor]:
    """Yield the executor of the engine in params.yaml; the processes that it started end with the block.

    Raises PipelineError where Dask is not installed, and where the scheduler at DASK_SCHEDULER_ADDRESS is away.
    """
    if engine.name == "pandas":
        yield Executor()
        return
    with connect(engine.memory_share) as client:
        yield Executor(client)


def _map_on_workers(
    client: Any,
    function: Callable[..., Result],
    items: list[Item],
    shared: Sequence[Any],
    label: str,
    done: Callable[[], object],
) -> list[Result]:
    from dask.distributed import as_completed

    # Tasks of their own: the scheduler keeps what a task is made of, so that `shared` outlives the workers.
    given = [client.submit(lambda value: value, each, pure=False) for each in shared]
    # Keys of their own: Dask would take equal ones of an earlier run on the same scheduler for the same work.
    task, run = in_this_folder(function), uuid.uuid4().hex
    keys = [(f"{label} {run}", number) for number in range(len(items))]
    futures = [client.submit(task, item, *given, key=key) for item, key in zip(items, keys, strict=True)]
    try:
        for future in as_completed(futures):
            if future.status != "finished":
                future.result()
            done()
        results: list[Result] = client.gather(futures)
        return results
    except BaseException:
        _stop(client, futures)
        raise


def _stop(client: Any, futures: list[Any]) -> None:
    """Cancel the futures that wait, and wait for those that run: nothing stops them, and they may write files."""
    from dask.distributed import wait

    if client.status == "running":
        running = {key for keys in client.processing().values() for key in keys}
        client.cancel([future for future in futures if future.status == "pending" and future.key not in running])
        wait([future for future in futures if future.key in running])
