"""The pages / and /docs as HTML, and the static files that they use."""

import json
import shutil
import time
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from api.http import form_fields
from pipeline.contract.columns import matrix_columns, positions
from pipeline.contract.description import Member
from pipeline.contract.onnx_model import Model
from pipeline.tables.atomic_files import digest
from tests.api.conftest import Client, Example, serving
from tests.api.model.test_reloader import put
from tests.conftest import ROOT

STATIC = ROOT / "api/http/static"


class Elements(HTMLParser):
    """All elements of a page as (tag, attributes)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_the_form_has_the_models_features(client: Client, example: Example) -> None:
    """Each feature has a labelled control, filled in with what training would put there; categories and booleans are
    lists; the target is not asked for."""
    response = client.get("/")
    assert response.headers["content-type"].startswith("text/html")
    elements = Elements(response.text)
    names = [attributes["data-name"] for attributes in elements.of("div") if "data-name" in attributes]
    assert names == [column.name for column in example.schema.features]
    controls = elements.of("input") + elements.of("select")
    assert {label["for"] for label in elements.of("label")} == {control["id"] for control in controls}
    options = [option["value"] for option in elements.of("option")]
    assert options == ["", "true", "false", "", '"Centro"', '"Ñuñoa"', '"San José: este"', "", '"gas"', '"1"']
    assert sum("selected" in option for option in elements.of("option")) == 3
    assert all(control["value"] for control in elements.of("input"))
    assert "10 to 500 square metres" in response.text


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_nothing_comes_from_elsewhere(client: Client, path: str) -> None:
    """Every script, style and picture is a file of this server, none stands in the page, and the policy of the page
    lets nothing else run."""
    response = client.get(path)
    assert "script-src 'self';" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]
    elements = Elements(response.text)
    used = [script.get("src") for script in elements.of("script")] + [link.get("href") for link in elements.of("link")]
    for address in used:
        assert address
        assert address.startswith("static/")
        assert client.get(f"/{address}").status_code == 200
    assert not elements.of("style")
    assert not [attributes for _, attributes in elements.found if any(name.startswith("on") for name in attributes)]


@pytest.mark.parametrize("name", ["%00", "a" * 300, "", "%2e%2e/page.py", "swagger-ui", "/etc/passwd"])
def test_no_such_static_file(client: Client, name: str) -> None:
    """Any other name than that of a static file is 404, also one that no file can have."""
    assert client.get(f"/static/{name}").status_code == 404


def test_hostile_texts_stay_text(fresh: Client) -> None:
    """Names, units and categories of a schema are shown as they are and never run."""
    evil = '"><script>alert(1)</script>'
    served = fresh.app.state.serving.served
    about = served.model.description
    columns = tuple(msgspec.structs.replace(c, description=evil, unit=evil) for c in about.schema.columns)
    schema = msgspec.structs.replace(about.schema, columns=columns)
    served.model.description = msgspec.structs.replace(about, schema=schema)
    text = fresh.get("/").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_a_blend_is_taken_apart(fresh: Client) -> None:
    """The page and /metadata name the members of a blend with their weights and settings."""
    served = fresh.app.state.serving.served
    members = (Member("ridge", {"alpha": 10}, (), 0.298), Member("linear", {}, (0,), 0.702))
    served.model.description = msgspec.structs.replace(served.model.description, family="blend", members=members)
    assert "0.298 of ridge: alpha 10</dd>" in (text := fresh.get("/").text)
    assert "0.702 of linear</dd>" in text
    told = fresh.get("/metadata").json()["members"]
    assert [(each["family"], each["settings"], each["weight"]) for each in told] == [
        ("ridge", {"alpha": 10}, 0.298),
        ("linear", {}, 0.702),
    ]


def test_the_page_says_what_is_served(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promoted or not, and where the files are there, the drift verdict, and test metrics if they are of this model."""
    monkeypatch.chdir(tmp_path)
    champion = tmp_path / "models/champion.onnx"
    champion.parent.mkdir()
    (tmp_path / "metrics").mkdir()
    shutil.copy(example.path, champion.with_name("model.onnx"))
    with serving(tmp_path) as client:
        assert "not promoted" in client.get("/").text
        assert "test rows" not in client.get("/").text
        assert "Drift" not in client.get("/").text
    put(champion, example)
    for name in ("evaluate", "drift"):
        shutil.copy(ROOT / f"metrics/{name}.json", tmp_path / "metrics")
    with serving(tmp_path) as client:
        for md5, shown in ((digest(champion, "md5"), True), ("0" * 32, False)):
            deps = [{"path": "models/model.onnx", "md5": md5}]
            Path("dvc.lock").write_text(json.dumps({"stages": {"evaluate": {"deps": deps}}}))
            time.sleep(0.01)
            text = client.get("/").text
            assert "not promoted" not in text
            assert ("on 101 test rows" in text) is shown
            assert "Drift: too few live rows" in text


def test_without_a_model_the_page_says_why(tmp_path: Path) -> None:
    """A server that is not ready answers 503 with the reason, in a page."""
    with serving(tmp_path, model_path=tmp_path / "away.onnx") as client:
        response = client.get("/")
    assert response.status_code == 503
    assert "away.onnx is missing" in response.text


def test_a_field_is_empty_where_most_training_rows_have_no_value(example: Example) -> None:
    """The form fills in no typical value of a feature that most of the training rows in the model file lack."""
    about = Model.load(example.path).description
    assert about.golden
    at = positions(about.columns)
    width, count = len(matrix_columns(about.columns)), len(at)
    rows = [[None if k == width - 1 else 1.0 for k in range(width)]] * 3 + [[1.0] * width] * 2
    golden = msgspec.structs.replace(about.golden, features=[*rows, [None] * width, [None] * width])
    found = form_fields.fields(msgspec.structs.replace(about, golden=golden))
    assert [field.value == "" for field in found] == [False] * (count - 1) + [True]
    background = [[None, *[1.0] * (width - 1)]] * 33 + [[1.0] * width] * 31
    found = form_fields.fields(msgspec.structs.replace(about, golden=golden, background=background))
    assert [field.value == "" for field in found] == [True] + [False] * (count - 1)
    few = msgspec.structs.replace(golden, features=[*rows[2:], [None] * width])
    assert all(field.value for field in form_fields.fields(msgspec.structs.replace(about, golden=few)))


def test_a_split_without_an_interval_is_shown(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The metrics of one test row, which have neither R² nor an interval, are shown as they are."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metrics").mkdir()
    metrics = json.loads((ROOT / "metrics/evaluate.json").read_text())
    metrics |= {"rmse": 0.0012, "r2": None, "rmse_ci_low": None, "rmse_ci_high": None, "n_test": 1}
    Path("metrics/evaluate.json").write_text(json.dumps(metrics))
    deps = [{"path": "models/model.onnx", "md5": digest(example.path, "md5")}]
    Path("dvc.lock").write_text(json.dumps({"stages": {"evaluate": {"deps": deps}}}))
    with serving(tmp_path, model_path=example.path) as client:
        text = client.get("/").text
    for shown in ("RMSE on 1 test row<", "<dd>0.001200</dd>", "<dd>not defined</dd>"):
        assert shown in text


def test_vendored_files_are_as_published() -> None:
    """Swagger UI's files are those of its package, with its licence."""
    folder = STATIC / "swagger-ui"
    sums = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in sums} == {path.name for path in folder.iterdir()} - {"SHA256SUMS", "README.md"}
    for expected, name in sums:
        assert digest(folder / name, "sha256") == expected
    assert "Apache License" in (folder / "LICENSE").read_text()
