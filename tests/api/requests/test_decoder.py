"""The contract: which bodies are rows, their numbers, and the mistakes of the others."""

import json
import math
from typing import Any

import msgspec
import numpy as np
import pytest

from api.requests.decoder import Contract
from api.requests.diagnostics import MOST_MISTAKES, Mistake, RefusedError
from api.requests.strict_json import MalformedError
from pipeline.contract.columns import matrix_columns, positions
from pipeline.contract.schema import Schema
from tests.api.conftest import Example, row

SLOPE = "a number of at most 3.4028234663852886e+38 in size (degrees), or null"


def body(**changes: Any) -> bytes:
    return json.dumps(row(**changes)).encode()


def mistakes(contract: Contract, content: bytes) -> list[Mistake]:
    with pytest.raises(RefusedError) as raised:
        contract.decode(content)
    return raised.value.mistakes


@pytest.mark.parametrize("missing", [None, ..., "NA", ""])
def test_missing_nullable_features_are_nan_and_named(contract: Contract, missing: Any) -> None:
    """A nullable feature may be null, a marker of missing or absent; imputed ones are listed in the features' order."""
    found = contract.decode(body(slope=missing, heating=missing, garden=missing))
    assert found.imputed == ["garden?", "heating", "slope"]
    columns = matrix_columns(contract.schema.features)
    lacking = [column.name for column, number in zip(columns, found.numbers, strict=True) if math.isnan(number)]
    assert lacking == found.imputed


@pytest.mark.parametrize(
    ("field", "value", "number"),
    [
        ("rooms", 3.0, 3.0),
        ("rooms", 1e1, 10.0),
        ("area", 10, 10.0),
        ("area", 500.0, 500.0),
        ("garden", 0, 0.0),
        ("garden", 1.0, 1.0),
        ("garden", False, 0.0),
        ("year", -(2**53), -(2.0**53)),
        ("distrito", "San José: este", 2.0),
        ("heating", "1", 1.0),
        ("slope", 3.4e38, 3.4e38),
        ("slope", 10**30, 1e30),
        ("slope", " 2.5", 2.5),
        ("area", "100", 100.0),
        ("rooms", "3.0", 3.0),
        ("garden", "yes", 1.0),
        ("distrito", "Centro ", 0.0),
        ("heating", 1, 1.0),
        ("heating", 1.0, 1.0),
        ("heating", "1.0", 1.0),
    ],
)
def test_every_way_to_write_a_valid_value(contract: Contract, field: str, value: Any, number: float) -> None:
    """Integers may be written as 24.0, bounds are inclusive, booleans may be 1 or 0, text may hold colons; a category
    is its place in the schema's list. A cell of a table may be sent as it is: numbers, yes and no in text, space around
    text, and 1 or 1.0 for the category "1"."""
    name = {"area": "area m²", "garden": "garden?"}.get(field, field)
    [place] = positions(contract.schema.features)[name]
    assert contract.decode(body(**{field: value})).numbers[place] == number


@pytest.mark.parametrize(
    ("field", "value", "parts"),
    [
        ("sold", "17/5/2020", [2020, 5, 7]),
        ("sold", " 01/12/1999 ", [1999, 12, 3]),
        ("sold", None, [math.nan] * 3),
        ("listed", "2020-02-29", [2020, 2, 6, 0, 60, 18321]),
        ("listed", "2020-02-29T18:00", [2020, 2, 6, 18, 60, 18321.75]),
        ("listed", "2020-02-29T18:00+06:00", [2020, 2, 6, 12, 60, 18321.5]),
        ("listed", 2020, [2020, 1, 3, 0, 1, 18262]),
        ("listed", "NA", [math.nan] * 6),
    ],
)
def test_a_date_becomes_its_parts(contract: Contract, field: str, value: Any, parts: list[float]) -> None:
    """A date is sent as cleaning reads it: in the column's format, else in ISO 8601, in UTC where it has a zone. The
    model gets the parts that the schema names, in one order; a missing date misses all of them, and is imputed once."""
    found = contract.decode(body(**{field: value}))
    numbers = [found.numbers[place] for place in positions(contract.schema.features)[field]]
    assert np.array_equal(numbers, parts, equal_nan=True)
    assert (field in found.imputed) == math.isnan(parts[0])
    assert found.imputed.count(field) < 2


@pytest.mark.parametrize("value", [None, 7, "L:1", {"a": [1, {"b": ":"}]}, [], True, 10**40])
def test_columns_that_are_no_features_are_accepted_and_skipped(contract: Contract, value: Any) -> None:
    """An id or an ignored column may be sent with any value and changes nothing."""
    found, plain = contract.decode(body(listing=value, note=value)), contract.decode(body())
    assert (found.numbers, found.imputed) == (plain.numbers, plain.imputed)


@pytest.mark.parametrize(
    ("changes", "field", "problem", "expected"),
    [
        ({"area": ...}, "area m²", "missing", "a number from 10 to 500 (square metres)"),
        ({"area": None}, "area m²", "missing", "a number from 10 to 500 (square metres)"),
        ({"area": "large"}, "area m²", "type", "a number from 10 to 500 (square metres)"),
        ({"area": True}, "area m²", "type", "a number from 10 to 500 (square metres)"),
        ({"area": 9.999}, "area m²", "bounds", "a number from 10 to 500 (square metres)"),
        ({"area": 500.001}, "area m²", "bounds", "a number from 10 to 500 (square metres)"),
        ({"rooms": 2.5}, "rooms", "type", "a whole number from 1 to 10"),
        ({"rooms": False}, "rooms", "type", "a whole number from 1 to 10"),
        ({"rooms": 11}, "rooms", "bounds", "a whole number from 1 to 10"),
        ({"rooms": []}, "rooms", "type", "a whole number from 1 to 10"),
        ({"year": 2101}, "year", "bounds", "a whole number of at most 2100, or null"),
        ({"year": -(2**53) - 2}, "year", "bounds", "a whole number of at most 2100, or null"),
        ({"slope": 3.5e38}, "slope", "bounds", SLOPE),
        ({"slope": 10**400}, "slope", "bounds", SLOPE),
        ({"garden": 2}, "garden?", "type", "true or false (or 1 or 0), or null"),
        ({"garden": "maybe"}, "garden?", "type", "true or false (or 1 or 0), or null"),
        ({"heating": 2}, "heating", "category", "one of gas, 1, or null"),
        ({"distrito": "centro"}, "distrito", "category", "one of Centro, Ñuñoa, San José: este"),
        ({"distrito": None}, "distrito", "missing", "one of Centro, Ñuñoa, San José: este"),
        ({"sold": "5/17/2020"}, "sold", "type", "a date or time like 30/11/2026 (%d/%m/%Y), or null"),
        ({"sold": "2020-05-17"}, "sold", "type", "a date or time like 30/11/2026 (%d/%m/%Y), or null"),
        ({"listed": "10:05"}, "listed", "type", "a date or time like 2026-11-30T10:05:00, or null"),
        ({"listed": [1]}, "listed", "type", "a date or time like 2026-11-30T10:05:00, or null"),
        ({"price": 1}, "price", "unknown", "no such field: it is what the model predicts"),
        ({"Rooms": 1}, "Rooms", "unknown", "a feature of the model (did you mean 'rooms'?)"),
        ({"zzz": 1}, "zzz", "unknown", "a feature of the model"),
        ({"f0": 1}, "f0", "unknown", "a feature of the model"),
    ],
)
def test_a_mistake_names_field_value_and_expectation(
    contract: Contract, changes: dict[str, Any], field: str, problem: str, expected: str
) -> None:
    """Each mistake has the field, the kind of mistake, and in words what is allowed."""
    [mistake] = mistakes(contract, body(**changes))
    assert (mistake.field, mistake.problem, mistake.expected) == (field, problem, expected)


def test_all_mistakes_are_told_at_once(contract: Contract) -> None:
    """One answer names every mistake: those of the body in its order, then missing fields."""
    found = mistakes(contract, body(slope="steep", rooms=0, area=..., romms=1))
    assert [(m.field, m.problem) for m in found] == [
        ("rooms", "bounds"),
        ("slope", "type"),
        ("romms", "unknown"),
        ("area m²", "missing"),
    ]


@pytest.mark.parametrize("key", ["rooms", "listing id", "zzz"])
def test_a_key_given_twice_is_refused(contract: Contract, key: str) -> None:
    """Neither of two values for one field is taken, even if they are equal or one key is escaped."""
    twice = body(listing="x")[:-1] + f', "{key}": 3, "{key}": 3}}'.encode()
    assert {"field": key, "problem": "duplicate", "value": 3, "expected": "each key once"} in msgspec.to_builtins(
        mistakes(contract, twice)
    )
    escaped = body(rooms=...)[:-1] + b', "rooms": 3, "\\u0072ooms": 4}'
    assert [m.problem for m in mistakes(contract, escaped)] == ["duplicate"]


@pytest.mark.parametrize(
    ("content", "shown"), [(b"[]", "a list of 0"), (b"3", 3), (b"null", None), (b'"x"', "x"), (b"true", True)]
)
def test_a_body_that_is_no_object_is_refused(contract: Contract, content: bytes, shown: Any) -> None:
    """JSON of another kind is no row."""
    [mistake] = mistakes(contract, content)
    assert (mistake.problem, mistake.value) == ("body", shown)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"{",
        b"\x00",
        b"\xef\xbb\xbf{}",
        b'{"rooms": NaN}',
        b'{"slope": -Infinity}',
        b'{"rooms": 03}',
        b'{"rooms": 3,}',
        b"{'rooms': 3}",
        b'{"note": "\xff"}',
        b'{"note": "\\ud800"}',
        b'{"\\udc00": 1}',
        b'{"rooms": 3} {}',
        '{"rooms": 3}'.encode("utf-16"),
        b'{"note": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
)
def test_what_is_no_json_is_malformed(contract: Contract, content: bytes) -> None:
    """No JSON: bad syntax, NaN and infinities, other encodings, half surrogates, nesting too deep to read."""
    with pytest.raises(MalformedError):
        contract.decode(content)


def test_a_hostile_body_gets_a_short_answer(contract: Contract) -> None:
    """Mistakes are counted and only the first are listed; long names and values are cut."""
    many = {f"{place:04d}" + "x" * 200: "y" * 1000 for place in range(200)}
    with pytest.raises(RefusedError) as raised:
        contract.decode(json.dumps(many).encode())
    assert raised.value.total == 200 + 3
    assert len(raised.value.mistakes) == MOST_MISTAKES
    assert len(msgspec.json.encode(raised.value.mistakes)) < 400 * MOST_MISTAKES


def test_any_value_found_can_be_told(contract: Contract) -> None:
    """Numbers beyond 64 bits or beyond a float, lists and objects are shown as short text."""
    found = mistakes(
        contract, b'{"area m\xc2\xb2": 1%s, "rooms": -1%s, "year": {"a": 1}, "slope": 1e999}' % (b"0" * 30, b"0" * 5000)
    )
    values = {mistake["field"]: mistake["value"] for mistake in json.loads(msgspec.json.encode(found))}
    assert values["area m²"] == "1" + "0" * 30
    assert values["rooms"] == "-1" + "0" * 98 + "..."
    assert values["year"] == "an object of 1"
    assert values["slope"] == "1e999"


def test_names_that_the_fast_decoder_cannot_hold(example: Example) -> None:
    """A column may have quotes and backslashes in its name."""
    columns = [
        msgspec.structs.replace(column, name='say "a\\b"') if column.name == "rooms" else column
        for column in example.schema.columns
    ]
    odd = Contract(Schema(1, example.schema.source, tuple(columns)))
    assert odd.decode(json.dumps(row(rooms=...) | {'say "a\\b"': 3}).encode()).numbers[1] == 3.0
