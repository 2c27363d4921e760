"""A version by its name, in a clone that has DVC's remote."""

from pathlib import Path

from tests.conftest import Project
from tests.ops.gating import CHAMPION
from tests.ops.releasing import git, md5

FETCHED = "models/fetched.onnx"


def clone(project: Project) -> Project:
    folder = project.folder.with_name("clone")
    git(project, "clone", "--quiet", ".", str(folder))
    return Project(folder, project.python)


def test_a_clone_gets_versions_by_name(released: Project) -> None:
    """`dvc artifacts get` brings a version and the stage, `fetch` also any revision, with the line that starts the
    server on it; fetch never writes what production serves."""
    cloned = clone(released)
    cloned.dvc("artifacts", "get", ".", "housing", "--rev", "v1.0.0", "--out", "first.onnx")
    cloned.dvc("artifacts", "get", ".", "housing", "--stage", "prod", "--out", "prod.onnx")
    first, prod = md5(cloned, "first.onnx"), md5(cloned, "prod.onnx")
    assert prod == md5(released, CHAMPION) != first
    for name, expected in {"v1.0.0": first, "housing@v1.1.0": prod, "prod": prod, "HEAD~2": first}.items():
        said = cloned.ops("registry", "fetch", "--rev", name).stdout.splitlines()
        assert said[-1] == f"MODEL_PATH={FETCHED}"
        assert md5(cloned, FETCHED) == expected, name
    for arguments, said in [
        (("v7",), "no revision"),
        (("HEAD~4",), "has no champion"),
        (("v1.0.0", "--out", CHAMPION), "choose another --out"),
    ]:
        assert said in cloned.ops("registry", "fetch", "--rev", *arguments, code=1).stderr
    assert git(cloned, "status", "--short") == "?? first.onnx\n?? prod.onnx"
    assert "was v1.1.0" in cloned.ops("registry", "rollback").stdout
    assert md5(cloned, CHAMPION) == first


def test_a_version_older_than_the_remote_is_found_there(promoted: Project, tmp_path: Path) -> None:
    """A remote that was added after a version was promoted serves it to a clone: to `fetch` and rollback as it is, to
    `dvc artifacts get` with `--remote`."""
    promoted.dvc("remote", "add", "--quiet", "--default", "store", str(tmp_path / "store"))
    promoted.commit("a remote")
    promoted.dvc("push", "--quiet")
    cloned = clone(promoted)
    cloned.ops("registry", "fetch", "--rev", "v1.0.0")
    cloned.dvc("artifacts", "get", ".", "housing", "--rev", "v1.0.0", "--remote", "store", "--out", "first.onnx")
    assert md5(cloned, FETCHED) == md5(cloned, "first.onnx") == md5(promoted, CHAMPION)
