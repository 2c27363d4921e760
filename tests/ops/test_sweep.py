"""Experiments as a user runs them, through the real `dvc` and `python -m ops.sweep`, in projects of their own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.conftest import Project
from tests.test_repro import ran

# The table that README.md and docs/experiments.md show.
COLUMNS = r"(?!Experiment|State|train|features.exclude|metrics/select.json:(family|cv_rmse))"
SHOW = ["exp", "show", "--only-changed", "--drop", COLUMNS, "--sort-by", "metrics/select.json:cv_rmse", "--md"]


def processes(project: Project) -> list[psutil.Process]:
    """What runs in the project's folder, with its command line in `info`: a process may end between two looks."""
    found = []
    for process in psutil.process_iter(["cwd", "cmdline"], ad_value=[]):
        if process.info["cwd"] and Path(process.info["cwd"]).is_relative_to(project.folder):
            found.append(process)
    return found


def until(happens: Callable[[], bool]) -> None:
    """Wait for it; five minutes are a hang."""
    end = time.monotonic() + 300
    while not happens():
        assert time.monotonic() < end, "it never happened"
        time.sleep(1)


def states(project: Project) -> dict[str, str]:
    """The state of each entry of DVC's queue by its name."""
    return dict(re.findall(r"(?m)^\w{7}\s+(\S+)\s.*\s(\w+)\s*$", project.dvc("queue", "status").stdout))


def all_ended(project: Project) -> bool:
    return set(states(project).values()) <= {"Success", "Failed"}


@pytest.fixture
def queueing(reproduced: Project) -> Iterator[Project]:
    """A reproduced project, in which no worker of DVC's queue and nothing that it started outlives the test."""
    yield reproduced
    reproduced.dvc("queue", "stop", "--kill")
    for process in processes(reproduced):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    until(lambda: not processes(reproduced))


def table(text: str) -> dict[str, list[str]]:
    """The rows of what `dvc exp show --md` prints, by their first cell; the header is `Experiment`."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]
    return {re.sub(r".*\[(.*)\]", r"\1", row[0]): row[1:] for row in cells}


@pytest.mark.slow
def test_an_experiment_is_kept_compared_and_applied(reproduced: Project) -> None:
    """`dvc exp run -S` is one experiment; applied and committed it needs no run, and `dvc metrics diff`, `params diff`
    and `plots diff` tell its commit from the one before."""
    setting = "train.families.xgboost.max_depth"
    assert set(ran(reproduced.dvc("exp", "run", "--name", "deeper", "-S", f"{setting}=[5]").stdout)) == {
        "train@xgboost",
        "select",
        "evaluate",
        "drift",
    }
    reproduced.run("git", "checkout", "-q", ".")
    reproduced.dvc("exp", "apply", "deeper")
    assert ran(reproduced.dvc("repro").stdout) == []
    reproduced.commit("deeper")
    between = ("HEAD~1", "HEAD", "--json")
    changed = json.loads(reproduced.dvc("params", "diff", *between).stdout)
    assert changed == {"params.yaml": {setting: {"old": "[3]", "new": "[5]"}}}
    figures = json.loads(reproduced.dvc("metrics", "diff", *between).stdout)
    assert figures["metrics/select.json"]["cv_rmse"]["diff"] != 0
    assert "metrics/train/ridge.json" not in figures
    for (plot,) in json.loads(reproduced.dvc("plots", "diff", *between).stdout)["data"].values():
        assert {point["rev"] for point in plot["content"]["data"]["values"]} == {"HEAD~1", "HEAD"}


@pytest.mark.slow
def test_a_grid_in_the_queue(queueing: Project) -> None:
    """A grid runs in the queue, two at a time, and leaves the workspace alone; one that fails stays in the tables with
    its reason in its log; the table of the documentation has few columns; the best is applied without a run."""
    before = queueing.path("params.yaml").read_bytes()
    grid = "train.families.xgboost.max_depth=[2],[4]"
    queueing.dvc("exp", "run", "--queue", "--name", "grid", "-S", grid)
    queueing.dvc("exp", "run", "--queue", "--name", "broken", "-S", "train.families.xgboost.max_depth=[-1]")
    # Not through `dvc()`: the workers would keep its pipe open.
    workers = [sys.executable, "-m", "dvc", "queue", "start", "-j", "2"]
    subprocess.run(workers, cwd=queueing.folder, env=queueing.env, stdout=subprocess.DEVNULL, check=True)
    until(lambda: all_ended(queueing))
    assert states(queueing) == {"grid-1": "Success", "grid-2": "Success", "broken": "Failed"}
    assert re.search(
        r"(?m)^error: params.yaml: train.families.xgboost: .*'max_depth': -1.* cannot be fitted",
        queueing.dvc("queue", "logs", "broken").stdout,
    )
    assert queueing.path("params.yaml").read_bytes() == before
    assert queueing.run("git", "status", "--porcelain").stdout == ""
    shown = table(queueing.dvc(*SHOW).stdout)
    assert shown["Experiment"] == ["State", "metrics/select.json:cv_rmse", "train.families.xgboost.max_depth"]
    assert shown["broken"][0] == "Failed"
    assert set(shown) == {"Experiment", "workspace", "main", "grid-1", "grid-2", "broken"}
    succeeded = {name: float(row[1]) for name, row in shown.items() if row[0] == "Success"}
    best = min(succeeded, key=lambda name: succeeded[name])
    queueing.dvc("exp", "apply", best)
    assert ran(queueing.dvc("repro").stdout) == []
    selected = json.loads(queueing.path("metrics/select.json").read_text())
    assert selected["cv_rmse"] == pytest.approx(succeeded[best], rel=1e-4)


def touched(project: Project) -> tuple[bytes, str, str]:
    """What a sweep must not change: a file with an edit that is not committed, Git's view of the rest, the branch."""
    status = project.run("git", "status", "--porcelain").stdout
    return project.path("params.yaml").read_bytes(), status, project.run("git", "symbolic-ref", "HEAD").stdout


def edit(project: Project) -> None:
    """Work in progress: a changed line in a style that DVC would not write, and a new file."""
    path = project.path("params.yaml")
    text = path.read_text()
    assert "      - 1\n      - 10\n" in text
    path.write_text(text.replace("alpha:\n      - 1\n      - 10\n", "alpha: [1, 10] # both\n"))
    project.path("notes.txt").write_text("mine\n")


def start(project: Project, grid: str) -> "subprocess.Popen[str]":
    """A sweep in a process group of its own."""
    command = [sys.executable, "-m", "ops.sweep", grid]
    out = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=project.folder, env=project.env, stdout=out, stderr=out, text=True, start_new_session=True
    )


@pytest.mark.slow
def test_a_sweep_names_the_best(queueing: Project) -> None:
    """A sweep tells when an experiment ends, and at its end the best by cross-validation, whatever failed; what
    the user has in the workspace and in the queue is still there; the named one can be applied without a run."""
    queueing.dvc("exp", "run", "--queue", "--name", "mine", "-S", "train.families.ridge.alpha=[5]")
    edit(queueing)
    before = touched(queueing)
    # As for a user who has not activated the environment: no `dvc` on PATH.
    queueing.env["PATH"] = os.environ["PATH"].replace(str(Path(sys.executable).parent), "")
    queueing.env["PATH"] = os.pathsep.join(p for p in queueing.env["PATH"].split(os.pathsep) if p)
    sweep = start(queueing, "train.families.xgboost.max_depth=[-1],[2],[4]")
    assert sweep.stdout is not None
    first = next((line for line in sweep.stdout if "(1 of 3)" in line), "")
    assert first, sweep.communicate()[1]
    assert not all_ended(queueing), f"not said when it happened: {first}"
    said = sweep.communicate()[0]
    assert sweep.returncode == 0
    queueing.env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    assert touched(queueing) == before
    until(lambda: all_ended(queueing))
    assert states(queueing)["mine"] == "Success"
    rows = {cells[0]: cells[1:] for cells in map(str.split, said.splitlines()) if cells[0].startswith("sweep-")}
    assert re.search(r"sweep-\w+-1 failed: error: params.yaml: train.families.xgboost: .* cannot be fitted", said)
    succeeded = {name: float(cells[2]) for name, cells in rows.items() if cells[1:2] == ["xgboost"]}
    assert len(succeeded) == 2
    best = re.search(r"(sweep-\w+-\d)\S*, cv_rmse", said.splitlines()[-1])[1]  # type: ignore[index]
    assert succeeded[best] == min(succeeded.values())
    queueing.run("git", "checkout", "-q", "params.yaml")
    queueing.dvc("exp", "apply", best)
    assert ran(queueing.dvc("repro").stdout) == []


@pytest.mark.slow
def test_a_stopped_sweep_leaves_nothing_to_mend(queueing: Project) -> None:
    """After Ctrl-C in a sweep the queue has nothing of it and the workspace is as it was; so it is after SIGKILL at any
    moment of the queueing, and the next sweep runs to its end."""
    edit(queueing)
    before = touched(queueing)
    grid = "train.families.xgboost.n_estimators=[20000],[20001],[20002]"
    sweep = start(queueing, grid)
    assert sweep.stdout is not None
    assert sweep.stdout.readline().startswith("3 experiments sweep-")
    until(lambda: "Running" in states(queueing).values())
    os.killpg(sweep.pid, signal.SIGINT)
    said = sweep.communicate()[1]
    assert sweep.returncode == 1
    assert re.fullmatch(r"error: sweep-\w+ was stopped; what it had in the queue is removed\n", said)
    assert states(queueing) == {}
    assert touched(queueing) == before
    until(lambda: not processes(queueing))
    for moment in (0.5, 1.5, 2.5):
        sweep = start(queueing, grid)
        time.sleep(moment)
        os.killpg(sweep.pid, signal.SIGKILL)
        sweep.communicate()
        until(lambda: not any("--queue" in process.info["cmdline"] for process in processes(queueing)))
        assert touched(queueing) == before
    queueing.dvc("queue", "remove", "--queued")
    assert "best" in queueing.ops("sweep", "train.families.ridge.alpha=[2]").stdout


def test_a_sweep_of_what_is_not_there(reproduced: Project) -> None:
    """A setting that params.yaml does not have is refused before anything runs, with DVC's own words."""
    said = reproduced.ops("sweep", "train.families.ridge.alhpa=[1],[2]", code=1).stderr
    assert re.match(r"error: `dvc exp run --queue .*train.families.ridge.alhpa=\[1\],\[2\]` failed: ERROR: ", said)
    assert "'alhpa' is not in struct" in said
    assert "No experiment tasks in the queue" in reproduced.dvc("queue", "status").stdout
