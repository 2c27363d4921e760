"""A batch of rows in one request."""

import json

import pytest

from api.requests import diagnostics
from tests.api.conftest import JSON, Client, row
from tests.api.http.test_predict import assert_problem


def test_mistakes_of_a_batch_have_row_numbers(client: Client) -> None:
    """Every field at fault in every row is told with the number of its row, counted from 0."""
    content = assert_problem(client.post("/predict/batch", json=[row(), row(rooms=0, year="x"), 7, row(area=...)]), 422)
    assert [(e["row"], e["field"], e["problem"], e["value"]) for e in content["errors"]] == [
        (1, "rooms", "bounds", 0),
        (1, "year", "type", "x"),
        (2, "", "body", 7),
        (3, "area m²", "missing", None),
    ]
    assert content["detail"] == "row 1, rooms: expected a whole number from 1 to 10; 3 more"
    content = assert_problem(client.post("/predict/batch", json=row()), 422)
    assert content["errors"] == [
        {"field": "", "problem": "body", "value": "an object of 9", "expected": "one JSON array of rows", "row": None}
    ]
    content = assert_problem(client.post("/predict/batch", json=[{"x": n} for n in range(20)]), 422)
    assert (len(content["errors"]), "of which 49 are listed" in content["detail"]) == (50, True)


def test_mistakes_of_many_rows_are_searched_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Similar names, whose search costs, are searched for the mistakes that the answer lists, not for each row."""
    searched: list[str] = []
    monkeypatch.setattr(diagnostics, "nearest", lambda name, names: searched.append(name) or "")
    rows = [{f"{number}{field}": 1 for field in "abc"} for number in range(20)]
    content = assert_problem(client.post("/predict/batch", json=rows), 422)
    assert len(searched) <= len(content["errors"]) == diagnostics.MOST_MISTAKES
    missing = sum(error["problem"] == "missing" for error in content["errors"])
    assert len(searched) == diagnostics.MOST_MISTAKES - missing
    assert "of which 49 are listed" in content["detail"]


@pytest.mark.parametrize(
    ("content", "status", "detail"),
    [
        (b"[" + b",".join([json.dumps(row()).encode()] * 21) + b"]", 413, "API_MAX_BATCH), found 21"),
        (b"[]".ljust(8193), 413, "8192 bytes (API_MAX_BATCH_BODY)"),
        (b"[{]", 400, "JSON"),
        (b'[{"rooms": NaN}]', 400, "NaN"),
        (b'[{"note": "\xff"}]', 400, "UTF-8"),
        (b"[" * 5000, 400, "JSON"),
        (b"", 400, "JSON"),
    ],
)
def test_a_batch_that_cannot_be_read(client: Client, content: bytes, status: int, detail: str) -> None:
    """A batch has its own limits of rows and bytes, and what is no JSON is 400."""
    assert detail in assert_problem(client.post("/predict/batch", content=content, headers=JSON), status)["detail"]
    assert_problem(client.post("/predict/batch", content=b"[]", headers={"content-type": "text/csv"}), 415)
