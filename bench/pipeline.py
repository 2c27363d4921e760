"""The pipeline against its peers, each measured in this run, in temporary copies of the project."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import yaml

from bench.accuracy_peers import GRID

ROOT = Path(__file__).parent.parent
DVC = [sys.executable, "-m", "dvc"]
TURNS = 3
# The search space of the system that this one replaces, which the peers can search, too.
FAMILIES = {
    "linear": {},
    "ridge": {"alpha": [0.1, 1, 10, 100]},
    "random_forest": {"n_estimators": [200, 400], "max_depth": [None, 10, 20], "min_samples_leaf": [1, 2]},
    "xgboost": {**GRID, "max_bin": [64]},
}
PEERS = {"GridSearchCV(n_jobs=-1), 256 bins": ["--defaults"], "GridSearchCV(n_jobs=-1), 64 bins": []}


class Row(NamedTuple):
    """One line of the table: seconds of ours and of the peer, and the ratio that is the goal."""

    what: str
    ours: float
    peer: str
    theirs: float
    goal: float
    note: str = ""


def lines() -> Iterator[str]:
    """The table in Markdown."""
    yield from ("| what | seconds | peer | seconds | ratio | goal | |", "|---|---|---|---|---|---|---|")
    for row in rows():
        ratio = row.ours / row.theirs
        verdict = "met" if ratio <= row.goal else "missed"
        figures = f"{row.what} | {row.ours:.2f} | {row.peer} | {row.theirs:.2f} | {ratio:.2f} | {row.goal} {verdict}"
        yield f"| {figures} | {row.note} |"


def rows() -> Iterator[Row]:
    with _project() as folder:
        _run([*DVC, "repro", "clean"], folder)
        train = [*DVC, "repro", "--force", "--single-item", "--no-run-cache", "train"]
        grids = [[sys.executable, "-m", "bench.grid_search", *arguments] for arguments in PEERS.values()]
        # In turns, and the shortest of each: how fast the machine is changes from minute to minute.
        turns = [[_timed(command, folder) for command in (train, *grids)] for _ in range(TURNS)]
        (ours, _), *found = [min(runs) for runs in zip(*turns, strict=True)]
        for peer, (theirs, chosen) in zip(PEERS, found, strict=True):
            same = sum(
                settings.items() <= _settings(folder, family).items() for family, settings in json.loads(chosen).items()
            )
            note = f"{same} of {len(json.loads(chosen))} families with the same chosen settings"
            yield Row("train, all families", ours, peer, theirs, 0.6, note)
        _run([*DVC, "repro"], folder)
        ours = _best([*DVC, "repro"], folder)
        with _constant(folder) as twin:
            yield Row("nothing to do", ours, "same graph, constant commands", _best([*DVC, "repro"], twin), 1.3)
        with _one_stage() as empty:
            yield Row("nothing to do", ours, "a project with one empty stage", _best([*DVC, "repro"], empty), 1.3)


def _settings(folder: Path, family: str) -> dict[str, object]:
    return dict(json.loads((folder / f"metrics/train/{family}.json").read_text())["settings"])


@contextmanager
def _project() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "project"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        path = folder / "params.yaml"
        content = yaml.safe_load(path.read_text())
        content["train"]["families"] = FAMILIES
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        yield folder


@contextmanager
def _constant(project: Path) -> Iterator[Path]:
    """The same stages, deps and outputs, as if a command that does nothing had made them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "twin"
        shutil.copytree(project, folder, symlinks=True)
        for path in (folder / "dvc.yaml", folder / "dvc.lock"):
            content = yaml.safe_load(path.read_text())
            for stage in content["stages"].values():
                stage["cmd"] = "true"
            path.write_text(yaml.safe_dump(content, sort_keys=False))
        yield folder


@contextmanager
def _one_stage() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run(["git", "init", "--quiet"], folder)
        _run([*DVC, "init", "--quiet"], folder)
        (folder / "dvc.yaml").write_text("stages:\n  nothing:\n    cmd: 'true'\n")
        _run([*DVC, "repro"], folder)
        yield folder


def _best(command: list[str], folder: Path) -> float:
    """The shortest of five: noise only ever adds."""
    return min(_timed(command, folder)[0] for _ in range(5))


def _timed(command: list[str], folder: Path) -> tuple[float, str]:
    started = time.perf_counter()
    output = _run(command, folder)
    return time.perf_counter() - started, output


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed in {folder}:\n{done.stdout}\n{done.stderr}")
    return done.stdout
