"""A project with two versions, which tests of the registry share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import WEAK, Project


@pytest.fixture(scope="session")
def _released(build: Callable, _reproduced: Project) -> Project:
    def release(folder: Path) -> None:
        made = _reproduced.copy(folder)
        made.dvc("remote", "add", "--quiet", "--default", "store", str(folder.parent / "store"))
        made.commit("a remote")
        made.ops("gate")
        made.ops("registry", "promote")
        made.edit_params(lambda p: p["train"].update(families=WEAK))
        made.dvc("repro", "evaluate", "provenance", "drift")
        made.ops("gate", code=3)
        assert "is 'keep', expected 'promote'" in made.ops("registry", "promote", code=1).stderr
        made.path("README.md").write_text("mine\n")
        made.path("staged.txt").write_text("mine\n")
        made.run("git", "add", "staged.txt")
        made.ops("registry", "promote", "--force")
        made.dvc("push", "--quiet", "--all-tags")

    return build("released", release)


@pytest.fixture
def released(_released: Project, tmp_path: Path) -> Project:
    """v1.0.0 and, with force, v1.1.0; both in the remote. README.md and staged.txt are the user's changes."""
    return _released.copy(tmp_path / "project")
