"""The page and the documentation, in HTML and in a real browser."""

import json
import shutil
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from playwright.sync_api import Browser, Page, expect, sync_playwright

from api.app import create_app
from api.http import page
from api.settings import Settings
from pipeline.tables.atomic_files import digest
from tests.api.conftest import Example, log_url
from tests.api.test_server import Server
from tests.conftest import ROOT

STATIC = ROOT / "api/http/static"
CHROMIUM = shutil.which("chromium")
in_chromium = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"),
]


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


def test_the_form_has_the_models_features(client: TestClient[Litestar], example: Example) -> None:
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
def test_nothing_comes_from_elsewhere(client: TestClient[Litestar], path: str) -> None:
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
def test_no_such_static_file(client: TestClient[Litestar], name: str) -> None:
    """What names no file of ours is 404, also where no file can have such a name."""
    assert client.get(f"/static/{name}").status_code == 404


def test_hostile_texts_stay_text(example: Example, tmp_path: Path) -> None:
    """Names, units and categories of a schema are shown as they are and never run."""
    evil = '"><script>alert(1)</script>'
    with TestClient(create_app(Settings(model_path=example.path, prediction_log_url=log_url(tmp_path)))) as client:
        served = client.app.state.serving.served
        about = served.model.description
        columns = tuple(msgspec.structs.replace(c, description=evil, unit=evil) for c in about.schema.columns)
        schema = msgspec.structs.replace(about.schema, columns=columns)
        served.model.description = msgspec.structs.replace(about, schema=schema)
        text = client.get("/").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_the_page_says_what_is_served(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promoted or not, and where the files are there, the drift verdict, and test metrics if they are of this model."""
    monkeypatch.chdir(tmp_path)
    champion = tmp_path / "models/champion.onnx"
    champion.parent.mkdir()
    (tmp_path / "metrics").mkdir()
    shutil.copy(example.path, champion.with_name("model.onnx"))
    with TestClient(create_app(Settings())) as client:
        assert "not promoted" in client.get("/").text
        assert "test rows" not in client.get("/").text
        assert "Drift" not in client.get("/").text
    shutil.copy(example.path, champion)
    for name in ("evaluate", "drift"):
        shutil.copy(ROOT / f"metrics/{name}.json", tmp_path / "metrics")
    with TestClient(create_app(Settings())) as client:
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
    with TestClient(
        create_app(Settings(model_path=tmp_path / "away.onnx", prediction_log_url=log_url(tmp_path)))
    ) as client:
        response = client.get("/")
    assert response.status_code == 503
    assert "away.onnx is missing" in response.text


@pytest.mark.parametrize(("spread", "digits"), [(9.35, 2), (0.02, 4), (250_000, 0), (100, 0), (0, 2)])
def test_a_prediction_has_the_digits_that_say_something(spread: float, digits: int) -> None:
    """Digits after the point follow the spread of the target."""
    assert page.decimals(spread) == digits


def test_vendored_files_are_as_published() -> None:
    """Swagger UI's files are those of its package, with its licence."""
    folder = STATIC / "swagger-ui"
    sums = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in sums} == {path.name for path in folder.iterdir()} - {"SHA256SUMS", "README.md"}
    for expected, name in sums:
        assert digest(folder / name, "sha256") == expected
    assert "Apache License" in (folder / "LICENSE").read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def server(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(
        tmp_path_factory.mktemp("browsed"), MODEL_PATH=str(example.path), API_KEYS="a-key", LOG_LEVEL="error"
    )
    try:
        started.wait()
        yield started
    finally:
        started.process.kill()
        started.process.communicate()


class Visit:
    """A page in the browser, and what it asked for and complained of."""

    def __init__(self, browser: Browser, server: Server, path: str, **options: Any) -> None:
        self.page: Page = browser.new_page(**options)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._heard)
        self.page.goto(f"{server.url}{path}")
        self._origin = server.url

    def _heard(self, message: Any) -> None:
        if message.type == "error" and "the server responded with a status of" not in message.text:
            self.complaints.append(message.text)

    def close(self) -> None:
        self.page.close()
        assert self.complaints == []
        assert not [url for url in self.requests if not url.startswith((self._origin, "data:", "blob:"))]


class TestInChromium:
    pytestmark = in_chromium

    def test_a_prediction(self, browser: Browser, server: Server) -> None:
        """The form predicts what /predict does for the same values, shows the interval and what was imputed; all of it
        from the keyboard."""
        visit = Visit(browser, server, "/")
        shown = visit.page
        shown.get_by_label("API key").fill("a-key")
        shown.get_by_label("area m²").fill("100.5")
        shown.get_by_label("distrito").select_option(label="Ñuñoa")
        shown.get_by_label("slope").fill("")
        shown.get_by_label("year").press("Enter")
        expect(shown.locator("#answer")).to_be_visible()
        typed = {
            field.get_attribute("data-name"): field.locator("input, select").input_value()
            for field in shown.locator("[data-name]").all()
        }
        body = {name: json.loads(value) for name, value in typed.items() if value and name is not None}
        headers = {"X-API-Key": "a-key"}
        answer = httpx.post(f"{server.url}/predict", json=body, headers=headers).json()
        assert float(shown.locator("#prediction").get_attribute("value") or "nan") == answer["prediction"]
        assert shown.locator("#imputed").inner_text() == "Imputed: slope."
        for part in (f"{answer['lower']:,.0f}", f"{answer['upper']:,.0f}", "90%", "euro"):
            assert part in shown.locator("#interval").inner_text()
        band, dot = (shown.locator(f"#{name}").bounding_box() for name in ("band", "dot"))
        assert band
        assert dot
        assert band["x"] < dot["x"] + dot["width"] / 2 < band["x"] + band["width"]
        visit.close()

    def test_mistakes_stand_at_their_fields(self, browser: Browser, server: Server) -> None:
        """What the server says of a field stands at that field, which is marked for all, and gets the focus; a correct
        value clears it."""
        visit = Visit(browser, server, "/")
        shown = visit.page
        shown.get_by_label("API key").fill("a-key")
        rooms, area = shown.get_by_label("rooms"), shown.get_by_label("area m²")
        rooms.fill("99")
        area.fill("6,5")
        shown.get_by_role("button", name="Predict").click()
        expect(shown.locator("#f1-error")).to_have_text("Expected a whole number from 1 to 10, found 99.")
        expect(shown.locator("#f0-error")).to_have_text(
            'Expected a number from 10 to 500 (square metres), found "6,5".'
        )
        expect(area).to_be_focused()
        expect(rooms).to_have_attribute("aria-invalid", "true")
        rooms.fill("3")
        area.fill("65")
        shown.get_by_role("button", name="Predict").click()
        expect(shown.locator("#answer")).to_be_visible()
        expect(shown.locator("#f1-error")).to_be_empty()
        visit.close()

    def test_without_the_key_the_page_says_so(self, browser: Browser, server: Server) -> None:
        """A wrong key is told, the field has the focus, and the key is stored nowhere."""
        visit = Visit(browser, server, "/")
        shown = visit.page
        shown.get_by_label("API key").fill("wrong")
        shown.get_by_role("button", name="Predict").click()
        expect(shown.locator("#problem")).to_contain_text("expected a valid key")
        expect(shown.get_by_label("API key")).to_be_focused()
        assert shown.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0
        visit.close()

    @pytest.mark.parametrize("width", [320, 390, 768])
    def test_it_fits_a_phone(self, browser: Browser, server: Server, width: int) -> None:
        """No width makes the page scroll to the side, before and after a prediction."""
        visit = Visit(browser, server, "/", viewport={"width": width, "height": 800})
        shown = visit.page
        shown.get_by_label("API key").fill("a-key")
        for _ in range(2):
            assert shown.evaluate("document.documentElement.scrollWidth") <= width
            shown.get_by_role("button", name="Predict").click()
            expect(shown.locator("#answer")).to_be_visible()
            shown.get_by_text("The same from a shell").click()
        visit.close()

    def test_the_documentation(self, browser: Browser, server: Server) -> None:
        """/docs shows every operation, and its own client gets a prediction for the example, with nothing from
        elsewhere."""
        visit = Visit(browser, server, "/docs")
        shown = visit.page
        paths = httpx.get(f"{server.url}/openapi.json").json()["paths"]
        expect(shown.locator(".opblock")).to_have_count(sum(map(len, paths.values())))
        shown.get_by_role("button", name="Authorize").click()
        shown.locator("input").first.fill("a-key")
        shown.get_by_role("button", name="Apply credentials").first.click()
        shown.get_by_role("button", name="Close").first.click()
        shown.locator("#operations-default-predict").click()
        shown.get_by_role("button", name="Try it out").click()
        shown.get_by_role("button", name="Execute").click()
        expect(shown.locator(".responses-table.live-responses-table tbody .response-col_status").first).to_contain_text(
            "200"
        )
        visit.close()
