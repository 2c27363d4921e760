"""The same answers on Dask: a real scheduler and two worker processes on loopback, started elsewhere."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from distributed import Client

from pipeline.distributed.client import ADDRESS
from pipeline.tables import parquet
from tests.conftest import Project
from tests.test_other_tables import replace_table

pytestmark = pytest.mark.slow
SENDS_ON = """
from pipeline.distributed.client import connect
with connect(0.5) as client:
    client.loop.add_callback(client.scheduler_comm.comm.abort)
    futures = [client.submit(pow, number, 2) for number in range(200)]
print("sent")
"""
KINDS = ["red", "green", "blue, light", 'say "x"', "seldom"]


def generated(n: int = 200_000) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A table with numbers, a boolean, categories with commas and quotes, gaps, bad rows, and its schema."""
    generator = np.random.default_rng(9)
    table = pd.DataFrame(generator.normal(size=(n, 5)).round(4), columns=[f"x{i}" for i in range(5)])
    table["kind"] = generator.choice(KINDS, n, p=[0.5, 0.2, 0.2, 0.0999, 0.0001])
    table["flag"] = generator.choice(["yes", "no"], n)
    effect = table["kind"].map(dict(zip(KINDS, [0, 2, -1, 4, 9], strict=True)))
    noise = generator.normal(size=n)
    table["y"] = (3 * table["x0"] + np.sin(2 * table["x1"]) * table["x2"] + effect + noise).round(4)
    for name in ("x3", "kind", "flag"):
        table.loc[generator.random(n) < 0.03, name] = None
    table["x4"] = table["x4"].astype(object)
    table.loc[generator.choice(n, 50, replace=False), "x4"] = "many"
    columns: dict[str, Any] = {f"x{i}": {"dtype": "float", "nullable": i == 3} for i in range(5)}
    columns["kind"] = {"dtype": "category", "categories": KINDS, "nullable": True}
    columns |= {"flag": {"dtype": "bool", "nullable": True}, "y": {"dtype": "float", "role": "target"}}
    return table, {"version": 1, "source": {"origin": "made up", "licence": "none"}, "columns": columns}


@pytest.fixture
def workers() -> list[subprocess.Popen[bytes]]:
    """The processes of `scheduler`'s workers: each a nanny, which leads the process group of its worker."""
    return []


@pytest.fixture
def scheduler(tmp_path: Path, workers: list[subprocess.Popen[bytes]]) -> Iterator[str]:
    """The address of a scheduler with two workers of one thread each."""
    file = tmp_path / "scheduler.json"
    program = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--nthreads", "1"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    commands = [[*program, "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file)], worker, worker]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    run = [subprocess.Popen(command, cwd=elsewhere, **quiet) for command in commands]
    workers += run[1:]
    try:
        waited = time.monotonic() + 60
        while not file.exists() and time.monotonic() < waited:
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        with Client(address, timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
        yield address
    finally:
        for process in reversed(run):
            process.terminate()
        for process in run:
            process.wait(30)


def split_raw(project: Project, files: int) -> None:
    """The raw table, without line ends in cells, as that many CSV files: a task is a file."""
    path = project.path("data/raw/table.csv")
    header, *lines = path.read_text().splitlines(keepends=True)
    path.unlink()
    for number, rows in enumerate(np.array_split(np.array(lines, dtype=object), files)):
        path.with_name(f"table-{number:02}.csv").write_text(header + "".join(rows))


def on_dask(project: Project, address: str) -> None:
    project.edit_params(lambda p: p["engine"].update(name="dask"))
    project.env[ADDRESS] = address


def outputs(project: Project) -> tuple[dict[str, pd.DataFrame], list[dict[str, Any]]]:
    names = ("train", "test", "rejected")
    files = ("data/clean/report.json", "metrics/clean.json")
    found = {name: parquet.read(project.path(f"data/clean/{name}.parquet")) for name in names}
    return found, [json.loads(project.path(name).read_text()) for name in files]


def clean_until_rows(project: Project, client: Client) -> tuple[subprocess.Popen[bytes], float]:
    """A clean that is just in the middle, and since when."""
    command = [sys.executable, "-m", "stages.clean"]
    run = subprocess.Popen(command, cwd=project.folder, env=project.env, stderr=subprocess.PIPE)
    wait_for_task(client, run, "clean: rows")
    return run, time.monotonic()


def wait_for_task(client: Client, run: subprocess.Popen[bytes], label: str) -> None:
    """Return when a task whose key holds the label is with a worker."""
    while label not in str(client.processing()):
        assert run.poll() is None
        time.sleep(0.02)


def test_a_worker_killed_during_clean_changes_nothing(project: Project, scheduler: str, tmp_path: Path) -> None:
    """200,000 rows, cleaned by two workers of which one is killed (SIGKILL) in the middle, are the rows, the report
    and the counts of the pandas engine; a part that is no table is one error that names it."""
    table, schema = generated()
    replace_table(project, table, schema)
    split_raw(project, 50)
    project.stage("clean")
    expected, figures = outputs(project)
    assert len(expected["rejected"]) == 50
    on_dask(project, scheduler)
    with Client(scheduler) as client:
        victim = next(iter(client.run(os.getpid).values()))
        run, _ = clean_until_rows(project, client)
        time.sleep(0.2)
        os.kill(victim, signal.SIGKILL)
        _, said = run.communicate(timeout=120)
        assert run.returncode == 0, said
        assert victim not in client.run(os.getpid).values()
    found, same = outputs(project)
    assert same == figures
    for name, each in expected.items():
        pd.testing.assert_frame_equal(found[name], each)
    with project.path("data/raw/table-49.csv").open("a") as file:
        file.write("1,2,3\n")
    error = project.stage("clean", code=1).stderr
    assert "error: data/raw/table-49.csv is no table: row 4002 (the header is row 1) has 3 cells, expected 8" in error
    assert "Traceback" not in error


def test_a_worker_gone_for_good_is_done_without(
    project: Project, scheduler: str, workers: list[subprocess.Popen[bytes]]
) -> None:
    """Of two workers started by hand one is killed for good, nanny and all, while xgboost is fitted in parts: the stage
    ends with the other, over all rows."""
    table, schema = generated(20_000)
    replace_table(project, table, schema)
    split_raw(project, 4)
    on_dask(project, scheduler)
    grid = {"xgboost": {"n_estimators": [30], "max_depth": [3]}}
    project.edit_params(lambda p: (p["engine"].update(in_memory_rows=1), p["train"].update(families=grid)))
    project.stage("clean")
    command = [sys.executable, "-m", "stages.train", "xgboost"]
    run = subprocess.Popen(command, cwd=project.folder, env=project.env, stderr=subprocess.PIPE)
    with Client(scheduler) as client:
        wait_for_task(client, run, "fn-")  # xgboost.dask's name of its part of a fit
    os.killpg(workers[0].pid, signal.SIGKILL)
    _, said = run.communicate(timeout=400)
    assert run.returncode == 0, said
    rows = len(parquet.read(project.path("data/clean/train.parquet")))
    assert len(parquet.read(project.path("models/candidates/xgboost.oof.parquet"))) == rows
    with Client(scheduler) as client:
        assert len(client.nthreads()) == 1


def test_a_scheduler_that_dies_is_named(project: Project, scheduler: str) -> None:
    """A scheduler killed in the middle ends the run within seconds with one error that names its address, and makes no
    outputs."""
    table, schema = generated()
    replace_table(project, table, schema)
    split_raw(project, 50)
    on_dask(project, scheduler)
    with Client(scheduler) as client:
        program = client.run_on_scheduler(os.getpid)
        run, started = clean_until_rows(project, client)
    os.kill(program, signal.SIGKILL)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1
    assert time.monotonic() - started < 30
    assert said.decode().startswith(f"error: the dask scheduler at {scheduler} does not answer")
    assert "Traceback" not in said.decode()
    assert not project.path("data/clean/train.parquet").exists()


def test_a_lost_connection_logs_nothing(project: Project, scheduler: str) -> None:
    """What a client still sends when its connection is gone is no traceback of Dask or Tornado: the stage's own error
    says what happened."""
    project.env[ADDRESS] = scheduler
    command = [sys.executable, "-c", SENDS_ON]
    run = subprocess.run(command, cwd=project.folder, env=project.env, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout.splitlines()[-1], run.stderr) == (0, "sent", "")


def test_the_pipeline_is_the_same_on_dask(reproduced: Project, scheduler: str, tmp_path: Path) -> None:
    """Boston Housing, with live rows that have drifted, from raw table to verdict: the metrics, the model file to the
    byte, the reference, the selected family and the drift verdict of the pandas engine."""
    live = pd.read_parquet(reproduced.path("data/clean/test.parquet"))
    live.assign(LSTAT=live["LSTAT"] + 8).to_parquet(reproduced.path("data/live/rows.parquet"))
    reproduced.dvc("repro")
    other = reproduced.copy(tmp_path / "dask")
    on_dask(other, scheduler)
    other.dvc("repro")
    for name in ("clean", "select", "evaluate", "drift"):
        pandas, dask = (json.loads(p.path(f"metrics/{name}.json").read_text()) for p in (reproduced, other))
        assert dask == pandas, name
    model, file = (p.path("models/model.onnx").read_bytes() for p in (reproduced, other))
    assert file == model
    one, same = (parquet.read(p.path("models/reference.parquet")) for p in (reproduced, other))
    pd.testing.assert_frame_equal(same, one)
    assert pandas["verdict"] != "none"
    lock = yaml.safe_load(other.path("dvc.lock").read_text())["stages"]["clean"]["outs"]
    assert [out["md5"].endswith(".dir") for out in lock if out["path"].endswith(".parquet")] == [True] * 3


def test_families_that_need_all_rows_are_skipped(project: Project, scheduler: str) -> None:
    """On a table in parts the forest is skipped, and its outputs say so; `select` makes the model from the others, and
    the whole pipeline ends well."""
    table, schema = generated(20_000)
    replace_table(project, table, schema)
    split_raw(project, 4)
    on_dask(project, scheduler)
    grids = {"linear": {}, "random_forest": {}, "xgboost": {"n_estimators": [30], "max_depth": [3]}}
    project.edit_params(lambda p: (p["engine"].update(in_memory_rows=1), p["train"].update(families=grids)))
    said = project.dvc("repro").stdout
    skipped = json.loads(project.path("metrics/train/random_forest.json").read_text())["skipped"]
    assert skipped.startswith("random_forest needs all training rows in memory: raise engine.in_memory_rows")
    assert said.count(f"random_forest is skipped: {skipped}") == 2
    assert project.path("models/candidates/random_forest.onnx").stat().st_size == 0
    selected = json.loads(project.path("metrics/select.json").read_text())
    assert set(selected["weights"]) <= {"linear", "xgboost"}
    assert json.loads(project.path("metrics/evaluate.json").read_text())["cv_rmse"] == selected["cv_rmse"]
