"""The file that is served, the checks before it serves, and what /health, /ready and /metadata say of it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import yaml

from api.commands import check
from pipeline.contract.onnx_model import KEY
from pipeline.tables.atomic_files import digest
from tests.api.conftest import Example, row, serving, until
from tests.api.model.test_reloader import CHAMPION, WORKSPACE, record
from tests.conftest import ROOT


@pytest.fixture
def put(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Puts the example's model, perhaps with another description, into an empty project and returns its md5."""
    monkeypatch.chdir(tmp_path)

    def copy(path: Path, change: Callable[[dict[str, Any]], None] | None = None) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(example.path, path)
        if change:
            graph = onnx.load(path)
            description = json.loads(graph.metadata_props[0].value)
            change(description)
            del graph.metadata_props[:]
            graph.metadata_props.add(key=KEY, value=json.dumps(description))
            onnx.save(graph, path)
        return digest(path, "md5")

    return copy


def another(description: dict[str, Any]) -> None:
    description["settings"] = {"another": True}


def metadata(**settings: Any) -> dict[str, Any]:
    with serving(Path(), **settings) as client:
        return client.get("/metadata").json()


def reason(**settings: Any) -> str:
    """The reason of a server that is not ready: it lives, says so, and predicts nothing."""
    with serving(Path(), **settings) as client:
        health = client.get("/health")
        assert (health.status_code, health.json()["status"], health.json()["ready"]) == (200, "ok", False)
        for response in (client.get("/ready"), client.get("/metadata"), client.post("/predict", json=row())):
            assert response.status_code == 503
            assert response.headers["content-type"] == "application/problem+json"
        return client.get("/ready").json()["detail"]


def test_the_champion_comes_before_the_workspace_model(put: Callable[..., str]) -> None:
    """models/champion.onnx is served where it exists, as promoted."""
    md5 = put(CHAMPION)
    record(CHAMPION, md5)
    put(WORKSPACE, another)
    about = metadata()
    assert (about["path"], about["md5"], about["promoted"]) == ("models/champion.onnx", md5, True)
    assert about["unpromoted"] is None


@pytest.mark.parametrize("content", [None, {"outs": [{"md5": "0" * 32, "path": "another.onnx"}]}])
def test_a_champion_without_its_record_is_unpromoted(
    put: Callable[..., str], content: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A file in the champion's place that DVC's record does not name is served as unpromoted; /metadata and the line of
    the start say why."""
    caplog.set_level("INFO", "uvicorn.error")
    put(CHAMPION)
    if content:
        Path("models/champion.onnx.dvc").write_text(yaml.safe_dump(content))
    about = metadata()
    assert about["promoted"] is False
    assert "models/champion.onnx.dvc" in about["unpromoted"]
    assert f"(unpromoted: {about['unpromoted']})" in caplog.text


def test_the_workspace_model_is_unpromoted(put: Callable[..., str]) -> None:
    """Without a champion models/model.onnx is served and marked, even if its bytes are the champion's."""
    record(CHAMPION, put(WORKSPACE))
    about = metadata()
    assert (about["path"], about["promoted"]) == ("models/model.onnx", False)
    assert about["unpromoted"].startswith("models/model.onnx is the pipeline's last result")


def test_model_path_comes_first(put: Callable[..., str]) -> None:
    """MODEL_PATH is served before all; it is promoted only if it is the champion by DVC's record."""
    champion, other = put(CHAMPION), put(Path("mine.onnx"), another)
    record(CHAMPION, champion)
    put(Path("copy.onnx"))
    mine = metadata(model_path=Path("mine.onnx"))
    assert (mine["md5"], mine["promoted"]) == (other, False)
    assert mine["unpromoted"] == f"models/champion.onnx.dvc names another file, md5 {champion}"
    assert metadata(model_path=Path("copy.onnx"))["promoted"]
    assert metadata(model_path=CHAMPION.absolute())["promoted"]


def test_health_tells_which_files_are_there(put: Callable[..., str]) -> None:
    """/health lists the files in the order in which they are taken, as the last look found them."""
    put(WORKSPACE)
    with serving(Path(), model_path=Path("away.onnx")) as client:
        assert list(client.get("/health").json()["artifacts"].items()) == [
            ("away.onnx", False),
            ("models/champion.onnx", False),
            ("models/model.onnx", True),
        ]
        WORKSPACE.unlink()
        until(lambda: not any(client.get("/health").json()["artifacts"].values()))


def test_no_model_at_all(put: Callable[..., str]) -> None:
    """Without a model the reason names the expected files and the command that makes one."""
    told = reason()
    assert "models/champion.onnx" in told
    assert "dvc repro" in told


def test_no_other_file_replaces_a_bad_one(put: Callable[..., str]) -> None:
    """A MODEL_PATH that does not exist, or a damaged champion, is the reason, although other models exist."""
    put(WORKSPACE)
    put(CHAMPION)
    assert "away.onnx is missing" in reason(model_path=Path("away.onnx"))
    CHAMPION.write_bytes(b"not a model")
    assert "models/champion.onnx is no usable ONNX model" in reason()


def test_a_champion_that_dvc_does_not_know_is_refused(put: Callable[..., str]) -> None:
    """The champion's bytes must be those of its .dvc file."""
    md5 = put(CHAMPION)
    record(CHAMPION, "0" * 32)
    told = reason()
    assert md5 in told
    assert "0" * 32 in told


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
    """A model is not served if DVC's own file cannot be read; the reason names that file."""
    put(WORKSPACE)
    Path("dvc.lock").write_text("")
    assert "dvc.lock" in reason()


def test_golden_rows_are_replayed(put: Callable[..., str]) -> None:
    """A model file with other answers than at its export does not serve."""

    def shift(description: dict[str, Any]) -> None:
        description["golden"]["outputs"][0][0] += 1000

    put(CHAMPION, shift)
    assert "golden rows" in reason()


@pytest.mark.parametrize("damage", ["golden", "features", "format", "categories", "rows"])
def test_any_damage_of_the_description_is_a_reason(put: Callable[..., str], damage: str) -> None:
    """Any damage of the description leaves a living process that names the file."""

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
    record(CHAMPION, put(CHAMPION), **({"meta": {"revision": noted, "version": "v1.2.0"}} if noted else {}))
    about = metadata(git_revision=given)
    assert (about["revision"], about["version"]) == (told, "v1.2.0" if noted else None)


def test_metadata_tells_what_is_served(put: Callable[..., str], example: Example) -> None:
    """/metadata has the family, its settings, the members of a blend, the interval, the training data's hash and score,
    and the schema."""

    def blend(description: dict[str, Any]) -> None:
        kept = description["members"][0]
        description["members"] = [{**kept, "weight": 0.25}, {**kept, "family": "ridge", "weight": 0.75}]

    put(CHAMPION, blend)
    about = metadata()
    assert [(each["family"], each["weight"]) for each in about["members"]] == [("linear", 0.25), ("ridge", 0.75)]
    assert (about["family"], about["settings"], about["interval"]["level"]) == ("linear", {}, 0.9)
    assert about["training"]["sha256"] == "0" * 64
    assert about["training"]["rows"] == int((example.table["fold"] != -1).sum())
    assert about["training"]["cv_rmse"] > 0
    assert [column["name"] for column in about["schema"]["columns"]] == [c.name for c in example.schema.columns]


@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "/etc/passwd"])
def test_data_outside_of_the_file_is_refused(put: Callable[..., str], location: str) -> None:
    """A graph that reads a weight from another file does not serve, wherever that file is."""
    put(Path("outside.onnx"))
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


def test_the_check_command(
    put: Callable[..., str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m api.commands.check FILE` prints one line for a servable file, else the reason, and exits 1."""
    md5 = put(Path("good.onnx"))
    monkeypatch.setattr(sys, "argv", ["check", "good.onnx"])
    check.main()
    assert capsys.readouterr().out == f"good.onnx: linear, 9 features, md5 {md5}\n"
    Path("bad.onnx").write_bytes(b"x")
    command = [sys.executable, "-m", "api.commands.check", "bad.onnx"]
    variables = {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    bad = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.startswith("error: bad.onnx is no usable ONNX model")
    assert "Traceback" not in bad.stderr
