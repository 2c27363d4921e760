"""Requests that schemathesis makes of the OpenAPI document: every answer is a documented one."""

from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.api.conftest import Example
from tests.api.test_server import Server


@pytest.fixture(scope="module")
def server(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("fuzzed"), MODEL_PATH=str(example.path), LOG_LEVEL="error") as started:
        yield started


@pytest.mark.parametrize("cases", [50, pytest.param(3000, marks=pytest.mark.slow)])
def test_schemathesis_finds_nothing(server: Server, cases: int) -> None:
    """Every answer to bodies made from the document, valid and not, is as documented, and both kinds occur.

    Schemathesis checks each answer: no 5xx, a documented status and content type, the documented schema.
    """
    seen: Counter[str] = Counter()
    for found in schemathesis.openapi.from_url(f"{server.url}/openapi.json").get_all_operations():
        operation = found.ok()
        modes = [operation.as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]

        def ask(case: Case) -> None:
            response = case.call()
            seen[f"{case.operation.label} {response.status_code}"] += 1
            excluded = []
            if "no finite answer" in response.text or "idempotency-key-reused" in response.text:
                # Valid by the document, and without a finite answer, or with a key that another body had: the refusals
                # that no schema can foresee.
                excluded.append(positive_data_acceptance)
            is_refused = response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
            errors = response.json().get("errors", []) if is_refused else []
            if errors and all(isinstance(e["value"], str) and e["problem"] in ("bounds", "type") for e in errors):
                # A number in text that is out of bounds or not whole: JSON Schema has bounds for numbers alone.
                excluded.append(positive_data_acceptance)
            if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                # A batch over `maxItems` is refused, by a status that schemathesis does not take for a refusal.
                excluded.append(negative_data_rejection)
            case.validate_response(response, excluded_checks=excluded)

        setup = settings(
            max_examples=cases if operation.method == "post" else 10,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        # One after the other, so that chance does not decide how many bodies are valid.
        for mode in modes if operation.body else modes[:1]:
            setup(given(case=mode)(ask))()
    assert seen["POST /predict 200"] > 5
    assert seen["POST /predict 422"] > 5
    assert {"GET /health 200", "GET /ready 200", "GET /metadata 200", "GET /metrics 200"} <= set(seen)
    assert seen.total() > cases
