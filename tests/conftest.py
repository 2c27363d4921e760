"""Real projects in temporary folders: the tracked files of this one, small grids, a Git repository of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from filelock import FileLock
from hypothesis import HealthCheck, settings

from pipeline.contract.column import Column
from pipeline.contract.schema import Schema
from tests.forks import Forks
from tests.tables import make_schema

# Property tests; a busy machine is no failure, and no examples are kept in the project's folder.
PATIENT = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", PATIENT, max_examples=50)
settings.register_profile("thorough", PATIENT, max_examples=200)
settings.load_profile("quick")

# Under `make test`, a `make` that a test starts would take itself for a part of it, and print more.
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(name, None)

ROOT = Path(__file__).parent.parent
# Two families are enough to see that a change reruns one and not the other.
SMALL_GRIDS = {"ridge": {"alpha": [1, 10]}, "xgboost": {"n_estimators": [30], "max_depth": [3]}}


class Project:
    """A copy of the project to run commands in.

    `python` runs them: a real interpreter, or the much faster one of `tests.forks`. `env` is for real ones alone.
    """

    def __init__(self, folder: Path, python: str = sys.executable) -> None:
        self.folder = folder
        self.python = python
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        who = {f"GIT_{role}_{key}": "tests" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        self.env = {**os.environ, **who, "PATH": path, "DVC_NO_ANALYTICS": "1"}

    def real(self) -> "Project":
        """The same project, with a real interpreter."""
        return Project(self.folder)

    def run(self, *command: str, code: int | Iterable[int] = 0) -> subprocess.CompletedProcess[str]:
        """Run a command in the project; it must end with (one of) `code`."""
        command = tuple(self.python if part == sys.executable else part for part in command)
        env = self.env | {"PATH": os.pathsep.join([str(Path(self.python).parent), self.env["PATH"]])}
        done = subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        codes = [code] if isinstance(code, int) else list(code)
        assert done.returncode in codes, f"{command} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def stage(self, name: str, *arguments: str, code: int | Iterable[int] = 0) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", f"stages.{name}", *arguments, code=code)

    def ops(self, name: str, *arguments: str, code: int | Iterable[int] = 0) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", f"ops.{name}", *arguments, code=code)

    def dvc(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "dvc", *arguments, code=code)

    def commit(self, message: str = "a change") -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "--allow-empty", "-m", message)

    def edit_params(self, change: Callable[[dict], object]) -> None:
        path = self.folder / "params.yaml"
        content = yaml.safe_load(path.read_text())
        change(content)
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def path(self, name: str) -> Path:
        return self.folder / name

    def copy(self, folder: Path) -> "Project":
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder, self.python)


WEAK = {"ridge": {"alpha": [1000]}}  # the families of a poor model


def _use_small_grids(content: dict) -> None:
    content["train"]["families"] = SMALL_GRIDS


def tracked_files() -> list[str]:
    """The files that a clone would have, and those that are about to be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The interpreter for commands: one whose libraries are imported already, where the system allows it."""
    if not hasattr(os, "pidfd_open"):
        yield sys.executable
        return
    forks = Forks(tmp_path_factory.mktemp("forks"))
    yield forks.python
    forks.stop()


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory, python: str) -> Callable[[str, Callable[[Path], object]], Project]:
    """Return a project that is made once for all workers of this run, by the one that needs it first."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def built(name: str, make: Callable[[Path], object]) -> Project:
        with FileLock(shared / f"{name}.lock"):
            if not (shared / name).exists():
                make(shared / f"{name}.half")
                # Hundreds of small files would be copied with every project.
                Project(shared / f"{name}.half").run("git", "repack", "-adq")
                (shared / f"{name}.half").rename(shared / name)
        return Project(shared / name, python)

    return built


def _start(folder: Path) -> None:
    for name in tracked_files():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    # A project that has never run: no champion, no verdicts, no lock of the large grids.
    for name in ("dvc.lock", "models/champion.onnx.dvc", "metrics/history.jsonl"):
        (folder / name).unlink(missing_ok=True)
    made = Project(folder)
    made.edit_params(_use_small_grids)
    made.run("git", "init", "-q", "--template=", "-b", "main")
    made.commit("start")


@pytest.fixture(scope="session")
def _pristine(build: Callable) -> Project:
    return build("pristine", _start)


@pytest.fixture(scope="session")
def _reproduced(build: Callable, _pristine: Project) -> Project:
    def reproduce(folder: Path) -> None:
        made = _pristine.copy(folder).real()
        made.dvc("repro")
        made.commit("reproduced")

    return build("reproduced", reproduce)


@pytest.fixture
def project(_pristine: Project, tmp_path: Path) -> Project:
    """Never run, small grids, committed."""
    return _pristine.copy(tmp_path / "project")


@pytest.fixture
def reproduced(_reproduced: Project, tmp_path: Path) -> Project:
    """After `dvc repro`, committed; a copy of its own for each test."""
    return _reproduced.copy(tmp_path / "project")


@pytest.fixture(scope="session")
def _promoted(build: Callable, _reproduced: Project) -> Project:
    def promote(folder: Path) -> None:
        made = _reproduced.copy(folder).real()
        made.ops("gate")
        made.ops("registry", "promote")

    return build("promoted", promote)


@pytest.fixture
def promoted(_promoted: Project, tmp_path: Path) -> Project:
    """The model of `reproduced` is the champion, v1.0.0."""
    return _promoted.copy(tmp_path / "project")


@pytest.fixture
def hosted(promoted: Project, tmp_path: Path) -> Project:
    """On main, with a remote that has it all but the promotion."""
    for name in ("GITHUB_ACTIONS", "GITHUB_OUTPUT", "RETRAIN_BY"):
        promoted.env.pop(name, None)
    promoted.run("git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "remote.git"))
    promoted.run("git", "remote", "add", "origin", str(tmp_path / "remote.git"))
    promoted.run("git", "push", "-q", "origin", ":/^reproduced:refs/heads/main")
    return promoted


def remote(project: Project, *arguments: str) -> str:
    """Return what a Git command says in the remote of `hosted`."""
    return project.run("git", "-C", str(project.folder.parent / "remote.git"), *arguments).stdout.strip()


@pytest.fixture(scope="session")
def _challenged(build: Callable, _reproduced: Project) -> Project:
    """The champion of HEAD is a weak ridge, the workspace's model the small grids' best; both were recorded."""

    def challenge(folder: Path) -> None:
        made = _reproduced.copy(folder)
        good = made.run("git", "rev-parse", "HEAD").stdout.strip()
        made.edit_params(lambda p: p["train"].update(families=WEAK))
        made.dvc("repro")
        made.ops("gate")
        made.ops("registry", "promote")
        # All that the good revision recorded comes back; the champion's record and the history are not among it.
        recorded = made.run("git", "diff", "--name-only", "--diff-filter=d", "HEAD", good).stdout.split()
        made.run("git", "restore", f"--source={good}", "--", *recorded)
        made.dvc("checkout")

    return build("challenged", challenge)


@pytest.fixture
def challenged(_challenged: Project, tmp_path: Path) -> Project:
    return _challenged.copy(tmp_path / "project")


@pytest.fixture
def schema() -> Schema:
    return make_schema(
        Column("area", "float", min=0, max=1000),
        Column("rooms", "int", min=1, max=20, nullable=True),
        Column("garden", "bool", nullable=True),
        Column("street", "category", categories=("north", "south", "NA"), nullable=True),
        Column("price", "float", role="target"),
    )


@pytest.fixture
def raw() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "area": ["50", "60.5", " 70 ", "8e1", "90"],
            "rooms": ["2", "3.0", "", "NA", "5"],
            "garden": ["1", "false", "null", "True", "0.0"],
            "street": ["north", "south", "", "NA", "north"],
            "price": ["100", "120", "-5", "0", "1e2"],
        }
    )
