"""The executor over a real Dask scheduler and two worker processes on loopback."""

import operator
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from dask.distributed import Client, LocalCluster

from pipeline.contract.errors import PipelineError
from pipeline.distributed.executor import Executor


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def shifted(number: int, by: int, folder: Path) -> int:
    if number < 0:
        raise PipelineError(f"{number} is below 0")
    (folder / str(number)).touch()
    return number + by


def test_results_are_in_order(client: Client, tmp_path: Path) -> None:
    """Results come in the order of the items, whoever made them; the first failure is raised as it is."""
    for run in (Executor(), Executor(client)):
        assert run.map(shifted, range(20), "shift", 10, tmp_path) == list(range(10, 30))
        assert run.map(shifted, [], "shift", 10, tmp_path) == []
        with pytest.raises(PipelineError, match="-3 is below 0"):
            run.map(shifted, [1, 2, -3, 4], "shift", 10, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("parts", [1, 2, 7, 70])
def test_workers_add_up_in_order(client: Client, parts: int) -> None:
    """Sums of any number of parts are those of the parts in their order; of a part that fails the error is its own, and
    later work is none the worse for it."""

    def broken(part: int) -> str:
        return str(part) if part < parts - 1 else "x"[part + 1]

    expected = "".join(map(str, range(parts)))
    assert Executor(client).fold(str, range(parts), operator.add) == expected
    with pytest.raises(IndexError):
        Executor(client).fold(broken, range(parts), operator.add)
    assert Executor(client).fold(str, range(parts), operator.add) == expected


@pytest.mark.slow
def test_a_task_that_kills_its_workers_is_one_error(client: Client) -> None:
    """A task of which several workers have died is given up, with a word on memory."""
    with pytest.raises(PipelineError, match=r"4 workers died of one task .*engine\.memory_share"):
        Executor(client).map(lambda signal_: os.kill(os.getpid(), signal_), [signal.SIGKILL], "kill")
