"""Training over a real Dask scheduler and two worker processes on loopback."""

import gc
import operator
import os
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import msgspec
import numpy as np
import pandas as pd
import pytest
from dask.distributed import Client, LocalCluster

from pipeline.contract.params import Train
from pipeline.distributed.executor import Executor
from pipeline.training import families, onnx_export
from pipeline.training.in_parts import boosting, collective_fit, column_statistics, fitting, out_of_fold
from stages.train import fit
from tests.pipeline.training.in_parts.test_fitting import LIMITS
from tests.pipeline.training.in_parts.test_moments import HOMES, cut, homes

# xgboost's tracker, for which this process has a thread, raises there when a worker that was killed never comes.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:(?s).*xgboost:pytest.Pytest{kind}ExceptionWarning")
    for kind in ("UnhandledThread", "Unraisable")
]
GRIDS = {
    "ridge": {"alpha": [0.1, 1, 100]},
    "xgboost": {"n_estimators": [20, 60], "max_depth": [3, 5], "subsample": [0.8]},
}
PARAMS = Train(seed=1, interval_level=0.9, max_leaves=1000, device="cpu", families=GRIDS)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return homes(4000, 0.05)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        yield client
    gc.collect()  # such a tracker raises once more when it goes, which must not be during the tests of another module


@pytest.fixture
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def served(run: Executor, parts: list[Path], family: str, folder: str, seed: int = 1) -> tuple[fitting.Fitted, bytes]:
    params = msgspec.structs.replace(PARAMS, seed=seed)
    found = fitting.fit(run, parts, HOMES, params, family, "sha", Path("models/candidates") / folder)
    file = onnx_export.served_form(found.pipeline, found.record, found.sample, HOMES, found.training, 0.9, LIMITS)
    gap = out_of_fold.largest_gap(run, parts, HOMES, found.pipeline, file.content, Path("models/candidates"))
    assert gap <= LIMITS.onnx_tolerance * found.training.target_std
    return found, file.content


def kill_one(client: Client, after: float) -> threading.Thread:
    """SIGKILL to one worker, after so many seconds. The thread ends once the scheduler knows: until then it counts the
    dead one among the living, and who waits for two workers would not wait."""
    address, victim = next(iter(client.run(os.getpid).items()))

    def kill() -> None:
        time.sleep(after)
        os.kill(victim, signal.SIGKILL)
        while address in client.scheduler_info(n_workers=-1)["workers"]:
            time.sleep(0.05)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def test_joblib_fans_out_the_very_same_fits(
    client: Client, table: pd.DataFrame, in_a_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that fits into memory gets, on the workers, the fit that it gets here, to the byte; none of it lies in a
    worker's memory alone, where it would die with the worker."""

    def scattered(*arguments: Any, **named: Any) -> None:
        raise AssertionError("something was put into the memory of a worker")

    monkeypatch.setattr(Client, "scatter", scattered)
    table = table.head(500)
    here = fit(table, HOMES, PARAMS, "xgboost")
    with Executor(client).fan_out():
        there = fit(table, HOMES, PARAMS, "xgboost", in_a_folder)
    assert list(in_a_folder.iterdir()) == []
    assert joblib.hash(there[1]) == joblib.hash(here[1])
    assert joblib.hash(there[0].predict(table)) == joblib.hash(here[0].predict(table))


def test_workers_give_what_one_process_gives(client: Client, table: pd.DataFrame, in_a_folder: Path) -> None:
    """The model file of a linear family is the same to the byte, made in this process or by two workers."""
    files = [
        served(run, cut(table, in_a_folder / name, 5), "ridge", name)[1]
        for name, run in (("here", Executor()), ("there", Executor(client)))
    ]
    assert files[0] == files[1]


@pytest.mark.slow
def test_trees_in_parts_are_as_good(client: Client, table: pd.DataFrame, in_a_folder: Path) -> None:
    """The cross-validated RMSE of xgboost in parts is within the spread that seeds have in memory: no farther from
    their mean than three standard deviations of ten seeds."""
    in_memory = np.array(
        [fit(table, HOMES, msgspec.structs.replace(PARAMS, seed=s), "xgboost")[1].cv_rmse for s in range(10)]
    )
    found, _ = served(Executor(client), cut(table, in_a_folder / "table", 5), "xgboost", "oof")
    mean, spread = in_memory.mean(), in_memory.std(ddof=1)
    print(f"xgboost: in parts {found.record.cv_rmse:.3f}, in memory {mean:.3f} +- {spread:.3f}")
    assert abs(found.record.cv_rmse - mean) <= 3 * spread


def test_a_worker_without_rows_of_a_fold_takes_part(client: Client, in_a_folder: Path) -> None:
    """Where a fold lies with one worker alone, the others fit without rows of their own, to the model of one worker;
    and no rows stay on a worker's disk."""
    table = homes(300, 0.05).sort_values("fold", kind="stable")
    known = column_statistics.gather(Executor(client), cut(table, in_a_folder / "table", 1), HOMES)
    make = partial(families.numeric_pipeline, HOMES.features, "xgboost", 1)
    learner = boosting.ByXgboost(Executor(client), known, make)
    folds, found = np.array([int(table["fold"].min())]), []
    for held in (learner.shares, [learner.shares[0]]):
        task = collective_fit.Fit([make({"n_estimators": 5})[-1]], folds, learner.shares[0].prepare)
        found.append(collective_fit.fit(learner.engine, collective_fit.alive(client), held, task))
    assert found[0] == found[1]
    assert any(client.run(rows_on_disk).values())
    learner.close()
    assert not any(client.run(rows_on_disk).values())


def rows_on_disk(dask_worker: Any) -> list[str]:
    return [path.name for path in Path(dask_worker.local_directory).glob("rows-*")]


@pytest.mark.slow
def test_a_killed_worker_changes_no_fit_in_memory(client: Client, table: pd.DataFrame, in_a_folder: Path) -> None:
    """One worker gets SIGKILL while it makes fits of a table in memory: others make them, to the same byte."""
    started = time.perf_counter()
    with Executor(client).fan_out():
        undisturbed = fit(table, HOMES, PARAMS, "xgboost", in_a_folder)[1]
        thread = kill_one(client, 0.4 * (time.perf_counter() - started))
        assert joblib.hash(fit(table, HOMES, PARAMS, "xgboost", in_a_folder)[1]) == joblib.hash(undisturbed)
    thread.join()
    client.wait_for_workers(2, timeout=30)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["ridge", "xgboost"])
def test_a_killed_worker_changes_nothing(client: Client, table: pd.DataFrame, in_a_folder: Path, family: str) -> None:
    """One worker gets SIGKILL in the middle of training: the model file is the same to the byte."""
    parts = cut(table, in_a_folder / "table", 5)
    started = time.perf_counter()
    undisturbed = served(Executor(client), parts, family, "first")[1]
    thread = kill_one(client, 0.4 * (time.perf_counter() - started))
    assert served(Executor(client), parts, family, "second")[1] == undisturbed
    thread.join()
    client.wait_for_workers(2, timeout=30)


@pytest.mark.slow
def test_a_worker_killed_between_two_fits_changes_nothing(
    client: Client, table: pd.DataFrame, in_a_folder: Path
) -> None:
    """One worker gets SIGKILL when the shares are in place and no fit runs: the next fit waits for another in its
    place, and its model is the same to the byte."""
    run, settings = Executor(client), {"n_estimators": 20, "max_depth": 3}
    known = column_statistics.gather(run, cut(table, in_a_folder / "table", 5), HOMES)
    learner = boosting.ByXgboost(run, known, partial(families.numeric_pipeline, HOMES.features, "xgboost", 1))
    before, workers = learner.fits(settings, ()), set(client.nthreads())
    kill_one(client, 0).join()
    after = learner.fits(settings, ())
    assert len(workers - set(client.nthreads())) == 1
    assert [each[-1].get_booster().save_raw() for each in after] == [
        each[-1].get_booster().save_raw() for each in before
    ]


class Deaf:
    """In place of xgboost's context: the worker waits for a peer that never comes."""

    def __init__(self, **meeting: Any) -> None:
        pass

    def __enter__(self) -> None:
        time.sleep(600)

    def __exit__(self, *error: object) -> None:
        pass


def make_deaf() -> None:
    collective_fit.CommunicatorContext = Deaf  # type: ignore[misc]
    collective_fit.STUCK = 1


def wait_for_others(seconds: int) -> None:
    collective_fit.MEETING = seconds


def test_a_worker_that_waits_for_a_dead_one_ends(client: Client, in_a_folder: Path) -> None:
    """A worker that is stuck on the way into a fit, where a peer died at the wrong moment, ends itself; with another in
    its place the fit is done again, to the same byte."""
    run = Executor(client)
    known = column_statistics.gather(run, cut(homes(300, 0.05), in_a_folder / "table", 2), HOMES)
    learner = boosting.ByXgboost(run, known, partial(families.numeric_pipeline, HOMES.features, "xgboost", 1))
    before, workers = learner.fits({"n_estimators": 5}, ())[-1], collective_fit.alive(client)
    client.run(wait_for_others, 2)
    client.run(make_deaf, workers=workers[:1])
    after = learner.fits({"n_estimators": 5}, ())[-1]
    client.run(wait_for_others, collective_fit.MEETING)
    assert workers[0] not in collective_fit.alive(client)
    assert after[-1].get_booster().save_raw() == before[-1].get_booster().save_raw()
    learner.close()


@pytest.mark.parametrize("goes_on", [False, True])
def test_work_is_done_again_when_a_worker_dies(client: Client, goes_on: bool) -> None:
    """What needs all workers at once starts again, with as many as before, when one of them dies, also where the others
    came to an end without it; an error of its own is raised as it is."""
    tries: list[list[str]] = []

    def work(workers: list[str]) -> Any:
        tries.append(workers)
        if len(tries) == 1:
            kill_one(client, 0).join()
            if not goes_on:
                raise ConnectionError("a peer is gone")
        return len(tries)

    assert collective_fit.lasting(Executor(client), work) == 2
    assert [len(workers) for workers in tries] == [2, 2]

    def wrong(workers: list[str]) -> Any:
        raise ValueError("of its own")

    with pytest.raises(ValueError, match="of its own"):
        collective_fit.lasting(Executor(client), wrong)


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_workers_add_up_in_order(client: Client, parts: int) -> None:
    """Sums of one, an even or an odd number of parts are those of the parts in their order; of a part that fails the
    error is its own, and later work is none the worse for it."""

    def broken(part: int) -> str:
        return str(part) if part < parts - 1 else "x"[part + 1]

    assert Executor(client).fold(str, range(parts), "sums", operator.add) == "0123456"[:parts]
    with pytest.raises(IndexError):
        Executor(client).fold(broken, range(parts), "sums", operator.add)
    assert Executor(client).fold(str, range(parts), "sums", operator.add) == "0123456"[:parts]
