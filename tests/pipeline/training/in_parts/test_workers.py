"""Training over a real Dask scheduler and two worker processes on loopback."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import msgspec
import numpy as np
import pandas as pd
import pytest
from dask.distributed import Client, LocalCluster

from pipeline.contract.errors import PipelineError
from pipeline.distributed import together
from pipeline.distributed.executor import Executor
from pipeline.tables import atomic_files
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training import families, onnx_export
from pipeline.training.in_parts import boosting, column_statistics, fitting, out_of_fold
from pipeline.training.in_parts.learner import TrainingParts
from stages.train import fit
from tests.pipeline.training import homes
from tests.pipeline.training.homes import HOMES, LIMITS
from tests.pipeline.training.in_parts.test_linear import cut, training_rows
from tests.pipeline.training.test_large_numbers import DATES, dates

XGBOOST = {"n_estimators": [20, 60], "max_depth": [3, 5], "subsample": [0.8]}
PARAMS = msgspec.structs.replace(homes.PARAMS, families={**homes.GRIDS, "xgboost": XGBOOST})
WORKERS = 2


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return training_rows(4000, 0.05)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    options = {"threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=WORKERS, **options) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        client.wait_for_workers(WORKERS, timeout=120)
        yield client


@pytest.fixture
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trained(run: Executor, parts: list[Path], family: str, folder: str) -> fitting.Fitted:
    read = TrainingParts(run, parts, HOMES)
    found = fitting.fit(read, PARAMS, family, "sha", Path("models/candidates") / folder)
    file = onnx_export.served_form(
        found.pipeline, found.record, found.sample, HOMES, found.training, PARAMS.interval_level, LIMITS
    )
    gap = out_of_fold.largest_gap(read, found.pipeline, file.content)
    assert gap <= LIMITS.onnx_tolerance * found.training.target_std
    return found


def learner(run: Executor, parts: list[Path]) -> boosting.Boosting:
    read = TrainingParts(run, parts, HOMES)
    make = partial(families.numeric_pipeline, HOMES, "xgboost", 1)
    return boosting.Boosting("xgboost", read, column_statistics.gather(read.run, read.files, read.schema), make)


def kill(client: Client, address: str) -> None:
    """SIGKILL to a worker; returns when the scheduler knows."""
    os.kill(client.run(os.getpid, workers=[address])[address], signal.SIGKILL)
    while address in together.alive(client):
        time.sleep(0.05)


def kill_during(client: Client, label: str) -> threading.Thread:
    """Kill a worker as soon as a task whose key holds the label runs on it."""

    def watch() -> None:
        with Client(client.scheduler.address, set_as_default=False) as own:
            pids = own.run(os.getpid)
            while True:
                for address, keys in own.processing().items():
                    if label in str(keys):
                        os.kill(pids[address], signal.SIGKILL)
                        return
                time.sleep(0.01)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


@pytest.mark.slow
def test_workers_make_the_very_same_fits(client: Client, table: pd.DataFrame) -> None:
    """A table that fits into memory gets, on the workers, the fit that it gets here, to the byte, though both workers
    get SIGKILL, one after the other, while they make the fits."""
    here = fit(table, HOMES, PARAMS, "xgboost")
    threads = [kill_during(client, "fits"), kill_during(client, "fits")]
    there = fit(table, HOMES, PARAMS, "xgboost", Executor(client))
    assert joblib.hash(there[1]) == joblib.hash(here[1])
    assert joblib.hash(there[0].predict(table)) == joblib.hash(here[0].predict(table))
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_workers_give_what_one_process_gives(client: Client, in_a_folder: Path) -> None:
    """A ridge regression of two workers predicts what that of this process does, to 1e-8."""
    parts = cut(training_rows(1000, 0.05), in_a_folder / "table", 5)
    here, there = (trained(run, parts, "ridge", n) for n, run in (("a", Executor()), ("b", Executor(client))))
    assert there.record.settings == here.record.settings
    np.testing.assert_allclose(there.sample["prediction"], here.sample["prediction"], rtol=1e-8)


@pytest.mark.slow
def test_workers_sample_what_one_process_samples(client: Client, in_a_folder: Path) -> None:
    """A Gaussian process learns from the very same rows with two workers as in this process."""
    parts = cut(training_rows(1000, 0.05), in_a_folder / "table", 5)
    family = "gaussian_process"
    here, there = (trained(run, parts, family, n) for n, run in (("a", Executor()), ("b", Executor(client))))
    assert joblib.hash(there.pipeline) == joblib.hash(here.pipeline)


@pytest.mark.slow
def test_trees_in_parts_are_as_good(client: Client, table: pd.DataFrame, in_a_folder: Path) -> None:
    """The mean cross-validated RMSE of four searches of xgboost in parts is within 4 % of the spread that seeds have in
    memory; single ones differ more, for each run draws its rows on other workers."""
    seeds = [msgspec.structs.replace(PARAMS, seed=seed) for seed in range(10)]
    in_memory = np.array([fit(table, HOMES, params, "xgboost")[1].cv_rmse for params in seeds])
    parts = cut(table, in_a_folder / "table", 5)
    found = [trained(Executor(client), parts, "xgboost", f"oof{number}").record.cv_rmse for number in range(4)]
    print(f"in parts {found}, in memory {in_memory.min():.3f} to {in_memory.max():.3f}")
    assert 0.96 * in_memory.min() <= np.mean(found) <= 1.04 * in_memory.max()


@pytest.mark.slow
def test_trees_in_parts_keep_the_digits_of_large_numbers(client: Client, in_a_folder: Path) -> None:
    """Dates as YYYYMMDD and a target of 1e9 +- 100 are told apart on the workers, too."""
    rows = dates().assign(price=lambda t: t["price"] + 1e9)
    rows = rows.assign(row=np.arange(len(rows)), fold=np.arange(len(rows)) % 3)
    read = TrainingParts(Executor(client), cut(rows, in_a_folder / "table", 4), DATES)
    statistics = column_statistics.gather(read.run, read.files, DATES)
    make = partial(families.numeric_pipeline, DATES, "xgboost", 1)
    fitted = boosting.Boosting("xgboost", read, statistics, make).fit({"n_estimators": 60, "max_depth": 4}, (), 3)
    error = fitted.predict(to_matrix(rows, DATES.features)) - rows["price"]
    assert np.sqrt(np.square(error).mean()) < 30


@pytest.mark.slow
@pytest.mark.parametrize(("family", "label"), [("ridge", "train: out-of-fold"), ("xgboost", "fn-")])
def test_a_killed_worker_changes_no_count(
    client: Client, table: pd.DataFrame, in_a_folder: Path, family: str, label: str
) -> None:
    """One worker gets SIGKILL in the middle of a pass or of a fit: the training ends, over all rows."""
    parts = cut(table, in_a_folder / "table", 5)
    undisturbed = trained(Executor(client), parts, family, "first")
    thread = kill_during(client, label)
    again = trained(Executor(client), parts, family, "second")
    thread.join(60)
    assert not thread.is_alive()
    assert (again.training.rows, len(again.sample)) == (undisturbed.training.rows, len(undisturbed.sample))
    assert again.record.cv_rmse == pytest.approx(undisturbed.record.cv_rmse, rel=1e-8 if family == "ridge" else 0.04)


class Deaf:
    """In place of XGBoost's context: the worker waits for a peer that never comes."""

    def __init__(self, **arguments: Any) -> None:
        pass

    def __enter__(self) -> None:
        time.sleep(3600)

    def __exit__(self, *error: object) -> None:
        pass


def make_deaf() -> None:
    import xgboost.dask

    xgboost.dask.CommunicatorContext = Deaf  # type: ignore[misc]


@pytest.mark.slow
def test_workers_that_wait_for_a_dead_one_are_restarted(
    client: Client, in_a_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is stuck on the way into a fit, where a peer died, is restarted, and the fit is made again."""
    monkeypatch.setattr(together, "GRACE", 1)
    many = learner(Executor(client), cut(training_rows(300, 0.05), in_a_folder / "table", 4))
    before = together.alive(client)
    client.run(make_deaf)
    thread = kill_during(client, "fn-")
    model = many.fit({"n_estimators": 5}, (), 0)
    thread.join(60)
    assert model[-1].regressor_.get_booster().num_boosted_rounds() == 5
    assert not before & together.alive(client)


def leaves(client: Client, times: int) -> Callable[[], int]:
    """Work during which a worker dies, that many times."""
    left = iter(range(times))

    def work() -> int:
        if next(left, None) is not None:
            kill(client, min(together.alive(client)))
            raise ConnectionError("a peer is gone")
        return len(together.alive(client))

    return work


@pytest.mark.slow
def test_a_fit_starts_again_at_most_three_times(client: Client) -> None:
    """Work that needs all workers starts again when one dies; the fourth time is one error. An error of its own is
    raised as it is."""
    assert together.again_without(client, leaves(client, 1)) == WORKERS
    with pytest.raises(PipelineError, match="after 4 starts of one fit at most: give them more memory"):
        together.again_without(client, leaves(client, 4))

    def wrong() -> None:
        raise ValueError("of its own")

    with pytest.raises(ValueError, match="of its own"):
        together.again_without(client, wrong)


@pytest.mark.slow
def test_a_part_that_breaks_is_named(client: Client, in_a_folder: Path) -> None:
    """A part that is no Parquet any more when a fit reads it is one error with its name."""
    parts = cut(training_rows(300, 0.05), in_a_folder / "table", 3)
    many = learner(Executor(client), parts)
    atomic_files.write_bytes(parts[1], b"no Parquet")
    with pytest.raises(PipelineError, match=r"part-00001-00000.parquet is no readable Parquet file"):
        many.fit({"n_estimators": 5}, (), 0)
