"""Connect to Dask: to the scheduler at DASK_SCHEDULER_ADDRESS, or to processes started here on the cores."""

import hashlib
import importlib.util
import io
import logging
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.contract.errors import PipelineError

ADDRESS = "DASK_SCHEDULER_ADDRESS"
PACKAGES = ("stages", "pipeline", "api")  # that workers may run functions of
TIMEOUT = 5  # seconds until a scheduler that does not answer counts as away
_LOCAL = {
    # Without Dask's MALLOC_TRIM_THRESHOLD_, with which each array is memory that the system has to make anew: that took
    # as much time as the work.
    "distributed.nanny.pre-spawn-environ": dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
    ),
    "distributed.worker.profile.enabled": False,
}


@contextmanager
def connect(memory_share: float) -> Iterator[Any]:
    """Yield a `distributed.Client`; processes started here share this part of the machine's memory and end with the
    block.

    Raises PipelineError where Dask is not installed or the scheduler is away.
    """
    if importlib.util.find_spec("distributed") is None:
        raise PipelineError(
            "params.yaml: engine.name is dask, which is not installed: pip install '.[scale]', or set it to pandas"
        )
    # One error says what went wrong; Dask would log it on both sides, with a traceback.
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "critical")
    for name in ("distributed.client", "tornado.application"):  # the second logs errors of the client's callbacks
        logging.getLogger(name).addFilter(_is_critical)
    address = os.environ.get(ADDRESS)
    with _remote(address) if address else _local(memory_share) as client:
        print(f"dask: {len(client.nthreads())} workers, dashboard {client.dashboard_link}", flush=True)
        yield client


@contextmanager
def named_failures(client: Any) -> Iterator[None]:
    """Turn what Dask raises in the block, where it cannot go on, into a PipelineError with the way out."""
    from dask.distributed import CancelledError, KilledWorker

    try:
        yield
    except KilledWorker as error:
        raise PipelineError(
            f"dask gave up: {error.allowed_failures + 1} workers died of one task (the last was "
            f"{error.last_worker.address}): give them more memory (engine.memory_share)"
        ) from None
    except (CancelledError, OSError) as error:
        if client.status == "running" and isinstance(error, OSError):
            raise
        raise PipelineError(_away(client.scheduler.address, error)) from None


def _is_critical(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.CRITICAL


@contextmanager
def _local(share: float) -> Iterator[Any]:
    import dask
    from dask.distributed import Client
    from dask.system import CPU_COUNT
    from distributed.system import MEMORY_LIMIT

    limit = int(MEMORY_LIMIT * share / CPU_COUNT)
    # One thread each: most of the work is Python's, where threads wait for each other.
    workers = {"n_workers": CPU_COUNT, "threads_per_worker": 1, "memory_limit": limit}
    with dask.config.set(_LOCAL), Client(**workers, host="127.0.0.1", dashboard_address="127.0.0.1:0") as client:
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
    """Send this code to the workers, also to those that come later; they need only the libraries."""
    content, root = io.BytesIO(), Path(__file__).parents[2]
    with zipfile.ZipFile(content, "w") as archive:
        for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
            archive.writestr(zipfile.ZipInfo(str(path.relative_to(root))), path.read_bytes())
    # Named by its hash, so that workers can tell new code from old.
    file = f"stages-{hashlib.sha256(content.getvalue()).hexdigest()[:16]}.zip"

    # A module that is imported already would stay as it was. (Dask sends a function in a function as code.)
    def forget_other_code(packages: tuple[str, ...]) -> None:
        if file not in str(getattr(sys.modules.get("pipeline"), "__file__", "")):
            sys.path[:] = [path for path in sys.path if "stages-" not in path]
            for name in [name for name in sys.modules if name.split(".")[0] in packages]:
                del sys.modules[name]

    client.run(forget_other_code, PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, file)
        path.write_bytes(content.getvalue())
        client.upload_file(str(path))


def _away(address: str, error: Exception) -> str:
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"the dask scheduler at {address} does not answer ({reason}): start it, or unset {ADDRESS} to use the cores"
