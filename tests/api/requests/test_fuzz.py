"""Many requests made by machines: none is an error of the server, and every answer is a documented one."""

import json
import random
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import TestClient
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.api.conftest import Example, row
from tests.api.http.test_predict import DOCUMENTED, JSON, assert_problem
from tests.api.test_server import Server

# What is put into a body: borders of JSON, of numbers, of text and of our own contract.
PIECES = [
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\\ud800"),
    *(b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0", b"00", b".5", b"9" * 400, b"1e-400", b"2.5", b"9" * 20),
    *(b'"rooms"', b'"rooms":3,', b'"price":1,', b'"note":[[[[]]]],', b'"area m\xc2\xb2"', b"[" * 300, b'{"a":' * 300),
]


@pytest.fixture(scope="module")
def server(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("fuzzed"), MODEL_PATH=str(example.path), LOG_LEVEL="error")
    try:
        started.wait()
        yield started
    finally:
        started.process.kill()
        started.process.communicate()


def fuzz(url: str, cases: int) -> dict[str, int]:
    """Send what schemathesis makes of the document, valid and not; how many answers had each status.

    Each answer is checked by schemathesis: no 5xx, a documented status and content type, the documented schema.
    """
    seen: dict[str, int] = {}
    document = schemathesis.openapi.from_url(f"{url}/openapi.json")
    for found in document.get_all_operations():
        operation = found.ok()
        wanted = cases if operation.method == "post" else 10
        modes = [operation.as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]

        @settings(
            max_examples=wanted,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of(modes if operation.body else modes[:1]))
        def ask(case: Case) -> None:
            response = case.call()
            key = f"{case.operation.label} {response.status_code}"
            seen[key] = seen.get(key, 0) + 1
            excluded = []
            if "no finite answer" in response.text:
                # Valid by the document, and beyond what float32 can add up: the one refusal that no schema can foresee.
                excluded.append(positive_data_acceptance)
            if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                # A batch over `maxItems` is refused, by a status that schemathesis does not take for a refusal.
                excluded.append(negative_data_rejection)
            case.validate_response(response, excluded_checks=excluded)

        ask()
    return seen


def test_schemathesis_finds_nothing(server: Server) -> None:
    """A hundred cases from the document: every answer is as documented, and both kinds of body occur."""
    seen = fuzz(server.url, 50)
    assert seen["POST /predict 200"] > 5
    assert seen["POST /predict 422"] > 5
    assert {"GET /health 200", "GET /ready 200", "GET /metadata 200", "GET /metrics 200"} <= set(seen)


@pytest.mark.slow
def test_schemathesis_finds_nothing_in_thousands(server: Server) -> None:
    """The same with thousands."""
    seen = fuzz(server.url, 3000)
    print(seen)
    assert sum(seen.values()) > 3000


@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_mutated_bodies(client: TestClient[Litestar], count: int) -> None:
    """Thousands of damaged bodies: each answer is a prediction or a problem document, none an error of the server."""
    generator = random.Random(6)  # noqa: S311 - of tests
    statuses: dict[int, int] = {}
    for number in range(count):
        content = mutated(json.dumps(row(), ensure_ascii=number % 2 == 0).encode(), generator)
        response = client.post("/predict", content=content, headers=JSON)
        assert response.status_code in DOCUMENTED, content
        if response.status_code == 200:
            assert {"prediction", "lower", "upper", "id", "model"} <= set(response.json())
        else:
            assert_problem(response, response.status_code)
        statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
    print(statuses)
    assert min(statuses.get(status, 0) for status in (200, 400, 422)) > count / 100


def mutated(body: bytes, generator: random.Random) -> bytes:
    """The body after one to four cuts, copies, insertions or replacements."""
    for _ in range(generator.randint(1, 4)):
        start = generator.randrange(len(body) + 1)
        end = min(len(body), start + generator.randrange(8))
        other: Any = generator.choice([b"", body[start:end] * 2, generator.choice(PIECES), generator.randbytes(1)])
        body = body[:start] + other + body[end:]
    return body
