"""Which file is served, what is checked before, and what /health, /ready and /metadata say of it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import pytest
import yaml
from litestar import Litestar
from litestar.testing import TestClient

from api.app import create_app
from api.settings import Settings
from pipeline.contract import dvc_records
from pipeline.contract.onnx_model import KEY
from tests.api.conftest import Example, row

ROOT = Path(__file__).parents[3]
CHAMPION, WORKSPACE = Path("models/champion.onnx"), Path("models/model.onnx")


@pytest.fixture
def put(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Puts the example's model into an empty project and says its md5; `settings` makes the copies differ."""
    monkeypatch.chdir(tmp_path)

    def copy(path: Path | str, change: Callable[[dict[str, Any]], None] | None = None) -> str:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(example.path, path)
        if change:
            graph = onnx.load(path)
            description = json.loads(graph.metadata_props[0].value)
            change(description)
            del graph.metadata_props[:]
            graph.metadata_props.add(key=KEY, value=json.dumps(description))
            onnx.save(graph, path)
        return dvc_records.md5(path.read_bytes())

    return copy


def record(md5: str, **more: Any) -> None:
    """The file that promote writes beside the champion."""
    CHAMPION.parent.mkdir(exist_ok=True)
    content = {"outs": [{"md5": md5, "hash": "md5", "path": CHAMPION.name}], **more}
    Path(f"{CHAMPION}.dvc").write_text(yaml.safe_dump(content))


def another(description: dict[str, Any]) -> None:
    description["settings"] = {"another": True}


@contextmanager
def serving(**settings: Any) -> Iterator[TestClient[Litestar]]:
    with TestClient(create_app(Settings(**settings))) as client:
        yield client


def metadata(**settings: Any) -> dict[str, Any]:
    with serving(**settings) as client:
        return client.get("/metadata").json()


def reason(**settings: Any) -> str:
    """Why the server is not ready; it lives, says so truthfully, and predicts nothing."""
    with serving(**settings) as client:
        health = client.get("/health")
        assert (health.status_code, health.json()["status"], health.json()["ready"]) == (200, "ok", False)
        for response in (client.get("/ready"), client.get("/metadata"), client.post("/predict", json=row())):
            assert response.status_code == 503
            assert response.headers["content-type"] == "application/problem+json"
        return client.get("/ready").json()["detail"]


def test_the_champion_comes_before_the_workspace_model(put: Callable[..., str]) -> None:
    """models/champion.onnx is served where it exists, as promoted."""
    md5 = put(CHAMPION)
    put(WORKSPACE, another)
    about = metadata()
    assert (about["path"], about["md5"], about["promoted"]) == ("models/champion.onnx", md5, True)


def test_the_workspace_model_is_unpromoted(put: Callable[..., str]) -> None:
    """Without a champion models/model.onnx is served and marked, even if its bytes are the champion's."""
    record(put(WORKSPACE))
    about = metadata()
    assert (about["path"], about["promoted"]) == ("models/model.onnx", False)


def test_model_path_comes_first(put: Callable[..., str]) -> None:
    """MODEL_PATH is served before all; it is promoted only if it is the champion by DVC's record."""
    champion, other = put(CHAMPION), put("mine.onnx", another)
    record(champion)
    put("copy.onnx")
    assert (metadata(model_path=Path("mine.onnx"))["md5"]) == other
    assert not metadata(model_path=Path("mine.onnx"))["promoted"]
    assert metadata(model_path=Path("copy.onnx"))["promoted"]
    assert metadata(model_path=CHAMPION.absolute())["promoted"]


def test_health_tells_which_files_are_there(put: Callable[..., str]) -> None:
    """/health lists the files in the order in which they are taken, as they are now."""
    put(WORKSPACE)
    with serving(model_path=Path("away.onnx")) as client:
        assert list(client.get("/health").json()["artifacts"].items()) == [
            ("away.onnx", False),
            ("models/champion.onnx", False),
            ("models/model.onnx", True),
        ]
        WORKSPACE.unlink()
        assert not any(client.get("/health").json()["artifacts"].values())


def test_ready_with_a_model(put: Callable[..., str]) -> None:
    """With a verified model /ready and /health say so."""
    md5 = put(CHAMPION)
    with serving() as client:
        response = client.get("/ready")
        assert (response.status_code, response.json()) == (200, {"status": "ready", "model": md5})
        assert client.get("/health").json()["ready"] is True


def test_no_model_at_all(put: Callable[..., str]) -> None:
    """Without a model the reason names the files that were expected and the command that makes one."""
    assert "models/champion.onnx" in reason()
    assert "dvc repro" in reason()


def test_nothing_stands_in_for_a_missing_model_path(put: Callable[..., str]) -> None:
    """A MODEL_PATH that leads nowhere is told, though a champion is there."""
    put(CHAMPION)
    assert "away.onnx is missing" in reason(model_path=Path("away.onnx"))


def test_nothing_stands_in_for_a_damaged_champion(put: Callable[..., str]) -> None:
    """A champion that cannot be loaded is told, though a workspace model is there."""
    put(WORKSPACE)
    CHAMPION.write_bytes(b"not a model")
    assert "models/champion.onnx is no usable ONNX model" in reason()


def test_a_champion_that_dvc_does_not_know_is_refused(put: Callable[..., str]) -> None:
    """The champion's bytes must be those of its .dvc file."""
    md5 = put(CHAMPION)
    record("0" * 32)
    assert md5 in reason()
    assert "0" * 32 in reason()


@pytest.mark.parametrize("md5_is_right", [True, False])
def test_the_workspace_model_is_compared_with_the_lock(put: Callable[..., str], md5_is_right: bool) -> None:
    """The workspace model's bytes must be those of dvc.lock's outputs; dependencies do not count."""
    md5 = put(WORKSPACE)
    entry = {"path": WORKSPACE.as_posix(), "hash": "md5"}
    stages = {
        "select": {"outs": [entry | {"md5": md5 if md5_is_right else "1" * 32}]},
        "evaluate": {"deps": [entry | {"md5": "2" * 32}]},
        "drift": {"cmd": "x"},
    }
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    if md5_is_right:
        assert metadata()["md5"] == md5
    else:
        assert "1" * 32 in reason()


def test_a_half_written_record_is_told(put: Callable[..., str]) -> None:
    """Where DVC's own file cannot be read the model is not served, and the file is named."""
    put(WORKSPACE)
    Path("dvc.lock").write_text("")
    assert "dvc.lock" in reason()


def test_golden_rows_are_replayed(put: Callable[..., str]) -> None:
    """A file that answers otherwise than when it was exported does not serve."""

    def shift(description: dict[str, Any]) -> None:
        description["golden"]["outputs"][0][0] += 1000

    put(CHAMPION, shift)
    assert "golden rows" in reason()


@pytest.mark.parametrize("damage", ["golden", "features", "format", "categories", "rows"])
def test_any_damage_of_the_description_is_a_reason(put: Callable[..., str], damage: str) -> None:
    """However the description is damaged, the process lives and names the file."""

    def change(description: dict[str, Any]) -> None:
        if damage == "categories":
            del description["schema"]["columns"][4]["categories"]
        elif damage == "rows":
            description["golden"]["features"][0].pop()
        else:
            del description[damage]

    put(CHAMPION, change)
    assert "models/champion.onnx" in reason()


@pytest.mark.parametrize(
    ("given", "noted", "told"), [("abc", "def", "abc"), (None, "def", "def"), (None, None, None), ("abc", None, "abc")]
)
def test_the_revision(put: Callable[..., str], given: str | None, noted: str | None, told: str | None) -> None:
    """The git revision is GIT_REVISION, else the one that promote noted, else unknown; the version is promote's."""
    record(put(CHAMPION), **({"meta": {"revision": noted, "version": "v1.2.0"}} if noted else {}))
    about = metadata(git_revision=given)
    assert (about["revision"], about["version"]) == (told, "v1.2.0" if noted else None)


def test_metadata_tells_what_is_served(put: Callable[..., str], example: Example) -> None:
    """/metadata has the family, its settings, the interval, the training data's hash and score, and the schema."""
    put(CHAMPION)
    about = metadata()
    assert (about["family"], about["settings"], about["interval"]["level"]) == ("linear", {}, 0.9)
    assert about["training"]["sha256"] == "0" * 64
    assert about["training"]["rows"] == int((example.table["fold"] != -1).sum())
    assert about["training"]["cv_rmse"] > 0
    assert [column["name"] for column in about["schema"]["columns"]] == [c.name for c in example.schema.columns]


@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "/etc/passwd"])
def test_data_outside_of_the_file_is_refused(put: Callable[..., str], location: str) -> None:
    """A graph that reads a weight from another file does not serve, wherever that file is."""
    put("outside.onnx")
    graph = onnx.load("outside.onnx")
    for folder in (Path(), Path("..")):
        (folder / "weights.bin").write_bytes(bytes(4))
    weight = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[1], data_location=1)
    weight.external_data.add(key="location", value=location)
    graph.graph.initializer.append(weight)
    for node in graph.graph.node:
        for names in (node.input, node.output):
            names[:] = ["inside" if name == "prediction" else name for name in names]
    graph.graph.node.append(onnx.helper.make_node("Max", ["inside", "w"], ["prediction"]))
    Path("outside.onnx").write_bytes(graph.SerializeToString())
    assert reason(model_path=Path("outside.onnx")).startswith("outside.onnx is no usable ONNX model")


def check(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api.commands.check", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_check_command(put: Callable[..., str], tmp_path: Path) -> None:
    """`python -m api.commands.check FILE` prints one line for a servable file, else the reason, and exits 1."""
    md5 = put("good.onnx")
    good = check("good.onnx", folder=tmp_path)
    assert (good.returncode, good.stdout) == (0, f"good.onnx: linear, 7 features, md5 {md5}\n")
    Path("bad.onnx").write_bytes(b"x")
    bad = check("bad.onnx", folder=tmp_path)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.startswith("error: bad.onnx is no usable ONNX model")
    assert "Traceback" not in bad.stderr
