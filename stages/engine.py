"""Where the work on the parts of a table is done: in this process (pandas), or by the workers of Dask.

Workers see the project's folder under the same path as this process. They hold nothing that the files do not: what a
dead worker was doing, another does again.
"""

import hashlib
import importlib.util
import io
import logging
import os
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from stages import params
from stages.errors import PipelineError

Item = TypeVar("Item")
Result = TypeVar("Result")

PACKAGES = ("stages", "api")  # that workers may run functions of
ADDRESS = "DASK_SCHEDULER_ADDRESS"
TIMEOUT = 5  # seconds until a scheduler that does not answer counts as away
# Run on each worker before new code comes: of a module that is imported already it would take no notice.
_FORGET = """
import sys
if "{name}" not in str(getattr(sys.modules.get("stages"), "__file__", "")):
    sys.path[:] = [path for path in sys.path if "stages-" not in path]
    for name in [name for name in sys.modules if name.split(".")[0] in {packages}]:
        del sys.modules[name]
"""


class Engine:
    """`client`: the `distributed.Client` of Dask; None for pandas."""

    def __init__(self, client: Any | None = None) -> None:
        self.client = client

    def map(self, function: Callable[[Item], Result], items: Iterable[Item], label: str) -> list[Result]:
        """The results in the order of the items, under a progress bar; the first failure is raised as it is.

        Raises PipelineError where Dask cannot go on: the scheduler is away, or an item has killed several workers.
        """
        todo = list(items)
        with tqdm(total=len(todo), desc=label, disable=None) as progress:
            if self.client is None:
                return [_step(function(item), progress) for item in todo]
            return _distributed(self.client, function, todo, label, progress)

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
    client: Any, function: Callable[[Item], Result], items: list[Item], label: str, progress: tqdm
) -> list[Result]:
    from dask.distributed import CancelledError, KilledWorker, as_completed

    task = _InFolder(function, Path.cwd())
    # Keys of their own: Dask would take equal ones of an earlier run on the same scheduler for the same work.
    run = uuid.uuid4().hex
    futures = [client.submit(task, item, key=(f"{label} {run}", number)) for number, item in enumerate(items)]
    found: dict[int, Result] = {}
    try:
        # Not with_results: of a scheduler that went away it would hand out the errors as results.
        for future in as_completed(futures):
            found[future.key[1]] = _step(future.result(), progress)
            future.release()
    except KilledWorker as error:
        raise PipelineError(
            f"dask gave up: {error.allowed_failures + 1} workers died of one part ({error.last_worker.address} was "
            "the last): give them more memory (engine.memory_share), or make parts smaller (engine.part_mb)"
        ) from None
    except (CancelledError, OSError) as error:
        if client.status == "running" and isinstance(error, OSError):
            raise
        raise PipelineError(_away(client.scheduler.address, error)) from None
    finally:
        _stop(client, futures)
    return [found[number] for number in range(len(items))]


def _stop(client: Any, futures: list[Any]) -> None:
    """After a failure: cancel what waits, and wait for what runs, which nothing stops and which may write files."""
    from dask.distributed import wait

    if client.status == "running":
        running = {key for keys in client.processing().values() for key in keys}
        client.cancel([future for future in futures if future.key not in running])
        wait([future for future in futures if future.key in running])


class _InFolder:
    """A function that runs in the project's folder, wherever the worker was started."""

    def __init__(self, function: Callable[[Any], Any], folder: Path) -> None:
        self.function, self.folder = function, folder

    def __call__(self, item: Any) -> Any:
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise PipelineError(
                f"a worker on {os.uname().nodename} does not see {self.folder} ({error.strerror}): mount it there too"
            ) from None
        return self.function(item)


@contextmanager
def start(settings: params.Engine) -> Iterator[Engine]:
    """The engine of params.yaml; what it started ends with the block.

    Raises PipelineError where Dask is not installed, and where the scheduler at DASK_SCHEDULER_ADDRESS is away.
    """
    if settings.name == "pandas":
        yield Engine()
        return
    if importlib.util.find_spec("distributed") is None:
        raise PipelineError(
            "params.yaml: engine.name is dask, which is not installed: pip install '.[scale]', or set it to pandas"
        )
    # What goes wrong is said once, by the error; Dask would log it on both sides, with a traceback.
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "critical")
    logging.getLogger("distributed.client").addFilter(lambda record: record.levelno >= logging.CRITICAL)
    address = os.environ.get(ADDRESS)
    with _remote(address) if address else _local(settings.memory_share) as client:
        print(f"dask: {len(client.nthreads())} workers, dashboard {client.dashboard_link}", flush=True)
        yield Engine(client)


@contextmanager
def _local(share: float) -> Iterator[Any]:
    from dask.distributed import Client, LocalCluster
    from dask.system import CPU_COUNT
    from distributed.system import MEMORY_LIMIT

    limit = int(MEMORY_LIMIT * share / CPU_COUNT)
    # Of one thread each: most of the work is Python's, where threads wait for each other.
    with (
        LocalCluster(
            n_workers=CPU_COUNT,
            threads_per_worker=1,
            memory_limit=limit,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def _remote(address: str) -> Iterator[Any]:
    from dask.distributed import Client

    try:
        client = Client(address, timeout=TIMEOUT)
    except (OSError, ValueError) as error:
        raise PipelineError(_away(address, error)) from None
    with client:
        if not client.nthreads():
            raise PipelineError(f"the dask scheduler at {address} has no workers: start some with `dask worker`")
        _upload(client)
        yield client


def _upload(client: Any) -> None:
    """Bring the workers, also those that come later, this code; they need the libraries alone."""
    content, root = io.BytesIO(), Path(__file__).parent.parent
    with zipfile.ZipFile(content, "w") as archive:
        for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
            archive.writestr(zipfile.ZipInfo(str(path.relative_to(root))), path.read_bytes())
    # Named by what is in it, so that workers can tell new code from old.
    name = f"stages-{hashlib.sha256(content.getvalue()).hexdigest()[:16]}.zip"
    client.run(exec, _FORGET.format(name=name, packages=PACKAGES), {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content.getvalue())
        client.upload_file(str(path))


def _away(address: str, error: Exception) -> str:
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"the dask scheduler at {address} does not answer ({reason}): start it, or unset {ADDRESS} to use the cores"


def _step(result: Result, progress: tqdm) -> Result:
    progress.update()
    return result
