"""Helpers of the registry's tests: the champion's record and history, and Git."""

import yaml

from pipeline.tables import atomic_files
from tests.conftest import Project
from tests.ops.gating import CHAMPION, history

RECORD = "models/champion.onnx.dvc"
HISTORY = "metrics/history.jsonl"


def md5(project: Project, name: str) -> str:
    return atomic_files.digest(project.path(name), "md5")


def record(project: Project) -> dict:
    return yaml.safe_load(project.path(RECORD).read_text())


def git(project: Project, *arguments: str) -> str:
    return project.run("git", *arguments).stdout.strip()


def changes(project: Project) -> list[str]:
    """Return each change of the champion in the history, such as `promoted v1.0.0`."""
    return [
        f"{key} {line['version']}" for line in history(project) for key in ("promoted", "rolled_back") if key in line
    ]


def state(project: Project) -> tuple[str, str, bytes, bytes]:
    """Return HEAD, tags, record and history; a command that is refused, or has nothing to do, changes none of them."""
    files = (project.path(name).read_bytes() for name in (RECORD, HISTORY))
    return git(project, "rev-parse", "HEAD"), git(project, "tag"), *files


def check_consistent(project: Project) -> None:
    """Assert that the champion does not contradict its record, and that Git can read all there is."""
    if project.path(RECORD).exists():
        assert not project.path(CHAMPION).exists() or md5(project, CHAMPION) == record(project)["outs"][0]["md5"]
    git(project, "fsck", "--connectivity-only")
    assert git(project, "symbolic-ref", "HEAD") == "refs/heads/main"
