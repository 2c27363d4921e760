"""The pages / and /docs in a real browser."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.api.conftest import Example
from tests.api.test_server import Server

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def server(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("browsed")
    with Server(folder, MODEL_PATH=str(example.path), API_KEYS="a-key", LOG_LEVEL="error") as started:
        yield started


@pytest.fixture
def base(server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of the server or, with a prefix as parameter, that of a proxy that strips the prefix."""
    prefix = getattr(request, "param", "")
    if not prefix:
        yield server.url
        return

    class Proxy(BaseHTTPRequestHandler):
        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            url = server.url + self.path.removeprefix(prefix) if self.path.startswith(f"{prefix}/") else "nowhere:"
            answer = httpx.request(self.command, url, content=body, headers=dict(self.headers))
            self.send_response(answer.status_code)
            for header in answer.headers.items():
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = forward  # noqa: N815 - names of http.server

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever).start()
        yield f"http://127.0.0.1:{proxy.server_port}{prefix}"
        proxy.shutdown()


PREFIXES = pytest.mark.parametrize("base", ["", "/housing"], indirect=True)


@pytest.fixture
def visit(browser: Browser, base: str) -> Iterator[Callable[..., Page]]:
    """Opens a page; afterwards the browser has reported no error, and asked no other server for anything."""
    pages: list[Page] = []
    requests: list[str] = []
    complaints: list[str] = []

    def hear(message: Any) -> None:
        if message.type == "error" and "the server responded with a status of" not in message.text:
            complaints.append(message.text)

    def open_page(path: str, **options: Any) -> Page:
        page = browser.new_page(**options)
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", hear)
        page.goto(f"{base}{path}")
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert complaints == []
    assert not [url for url in requests if not url.startswith((base, "data:", "blob:"))]


@PREFIXES
def test_a_prediction(visit: Callable[..., Page], server: Server) -> None:
    """The form predicts what /predict does for the same values, shows the interval and what was imputed; all of it
    from the keyboard, also under a prefix that a proxy strips."""
    shown = visit("/")
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
    dates = {"sold", "listed"}  # sent as they are typed
    body = {name: value if name in dates else json.loads(value) for name, value in typed.items() if value and name}
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


def test_mistakes_stand_at_their_fields(visit: Callable[..., Page]) -> None:
    """An error stands at its field, which is marked invalid; the first gets the focus; a correct value clears it."""
    shown = visit("/")
    shown.get_by_label("API key").fill("a-key")
    rooms, area = shown.get_by_label("rooms"), shown.get_by_label("area m²")
    rooms.fill("99")
    area.fill("6,5")
    shown.get_by_role("button", name="Predict").click()
    expect(shown.locator("#f1-error")).to_have_text("Expected a whole number from 1 to 10, found 99.")
    expect(shown.locator("#f0-error")).to_have_text('Expected a number from 10 to 500 (square metres), found "6,5".')
    expect(area).to_be_focused()
    expect(rooms).to_have_attribute("aria-invalid", "true")
    rooms.fill("3")
    area.fill("65")
    shown.get_by_role("button", name="Predict").click()
    expect(shown.locator("#answer")).to_be_visible()
    expect(shown.locator("#f1-error")).to_be_empty()


def test_without_the_key_the_page_says_so(visit: Callable[..., Page]) -> None:
    """With a wrong key the page says so and puts the focus on the key's field; the key is stored nowhere."""
    shown = visit("/")
    shown.get_by_label("API key").fill("wrong")
    shown.get_by_role("button", name="Predict").click()
    expect(shown.locator("#problem")).to_contain_text("expected a valid key")
    expect(shown.get_by_label("API key")).to_be_focused()
    assert shown.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0


def test_the_rows_of_the_form_are_aligned(visit: Callable[..., Page]) -> None:
    """Labels end, inputs begin and hints begin at one height in each row of the form, also where a neighbour has no
    hint, a longer label or an error."""
    shown = visit("/", viewport={"width": 1280, "height": 900})
    shown.locator("label").first.evaluate("label => label.append(' a long description that takes two lines at least')")
    shown.get_by_label("rooms").fill("99")
    shown.get_by_label("API key").fill("a-key")
    shown.get_by_role("button", name="Predict").click()
    expect(shown.locator("#f1-error")).not_to_be_empty()
    for part in ("input, select", ".hint"):
        boxes = [box for each in shown.locator(f".fields :is({part})").all() if (box := each.bounding_box())]
        rows = {round(box["y"]) for box in boxes}
        assert len(boxes) == 9
        assert len(rows) == 5


@pytest.mark.parametrize("width", [320, 390, 768])
def test_it_fits_a_phone(visit: Callable[..., Page], width: int) -> None:
    """No width makes the page scroll to the side, before and after a prediction."""
    shown = visit("/", viewport={"width": width, "height": 800})
    shown.get_by_label("API key").fill("a-key")
    for _ in range(2):
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        shown.get_by_role("button", name="Predict").click()
        expect(shown.locator("#answer")).to_be_visible()
        shown.get_by_text("The same from a shell").click()


@PREFIXES
def test_the_documentation(visit: Callable[..., Page], server: Server) -> None:
    """/docs shows every operation, and its own client gets a prediction for the example, with nothing from
    elsewhere, also under a prefix that a proxy strips."""
    shown = visit("/docs")
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
