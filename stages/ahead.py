"""What a command starts before it imports its libraries: the process that Dask's workers fork from.

It imports what they need, once for all of them, which takes as long as the command's own imports, and meanwhile.
"""

import multiprocessing
import os
import sys
from contextlib import suppress

from stages import params
from stages.errors import PipelineError

ADDRESS = "DASK_SCHEDULER_ADDRESS"
METHOD = "forkserver" if sys.platform == "linux" else "spawn"
ENVIRONMENT = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def start() -> None:
    """Start it, if params.yaml says that the work is Dask's, and no scheduler elsewhere has workers for it."""
    with suppress(PipelineError):  # what is wrong with params.yaml, the command itself says
        if ADDRESS not in os.environ and params.load("engine").name == "dask":
            fork_server()


def fork_server() -> None:
    """The process, if it does not run yet and the system has the like."""
    if METHOD != "forkserver":
        return
    from multiprocessing import forkserver

    added = {name: value for name, value in ENVIRONMENT.items() if name not in os.environ}
    os.environ.update(added)
    multiprocessing.set_forkserver_preload(["distributed", "pandas", "pyarrow.parquet"])
    forkserver.ensure_running()
    for name in added:  # they are for the workers alone
        del os.environ[name]
