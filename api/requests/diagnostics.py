"""A request body read slowly, in plain Python, to say everything that is wrong with it.

It takes exactly what the fast decoder of `api.requests.decoder` takes, and what that one leaves to it: keys given
twice and colons inside of text.
"""

import json
import math
from collections.abc import Sequence
from typing import Any, NoReturn

import msgspec

from api.requests.values import Overflow, Problem, RefusalError, expected, to_number, to_own
from pipeline.contract.schema import Schema
from pipeline.contract.yaml_config import nearest

# Listed in one answer; more are only counted, so that a hostile body costs little and its answer stays short.
MOST_MISTAKES = 50
_LONGEST_TEXT = 100  # characters of a name or value that an answer repeats


class Row(msgspec.Struct, gc=False):
    """The numbers in the order of the model's features (NaN: missing; true is a number too), the names of the missing
    ones, and the caller's own id, None where there is none."""

    numbers: list[float]
    imputed: list[str]
    own: str | None = None


class Mistake(msgspec.Struct, frozen=True):
    """`value` is the value found (shortened; null where there is none), `expected` what would be right."""

    field: str
    problem: Problem
    value: str | float | bool | None
    expected: str


class MistakeInRow(Mistake, frozen=True):
    """`row`: which row of the batch, counted from 0; null where the whole body is at fault."""

    row: int | None


class MalformedError(Exception):
    """The body is not JSON; the message says where."""


class RefusedError(Exception):
    """The body is JSON and not a row: the first MOST_MISTAKES of `total` mistakes."""

    def __init__(self, mistakes: Sequence[Mistake], total: int) -> None:
        self.mistakes = mistakes
        self.total = total


class Members(list[tuple[str, Any]]):
    """The members of an object as they stand, so that a key given twice shows."""


def read(body: bytes, schema: Schema) -> Row:
    """The row in a body.

    Raises MalformedError, or RefusedError with the mistakes in the order of the body and then what is missing.
    """
    members = parse(body)
    if not isinstance(members, Members):
        raise RefusedError([not_a("one JSON object with the features as keys", members)], 1)
    ignored = {c.name: c.role for c in schema.columns if c.role not in ("feature", "target")}
    features = {column.name: column for column in schema.features}
    given: dict[str, float] = {}
    seen: set[str] = set()
    own = None
    mistakes: list[Mistake] = []
    total = 0

    def note(name: str, problem: Problem, value: Any, wanted: str) -> None:
        nonlocal total
        total += 1
        if len(mistakes) < MOST_MISTAKES:
            mistakes.append(mistake(name, problem, value, wanted))

    for name, value in members:
        if name in seen:
            note(name, "duplicate", value, "each key once")
        elif name in features:
            try:
                given[name] = to_number(value, features[name])
            except RefusalError as refusal:
                note(name, refusal.problem, value, expected(features[name]))
        elif name not in ignored:
            # The search for a similar name costs: only for those that are listed.
            note(name, "unknown", value, _unknown(name, schema) if total < MOST_MISTAKES else "")
        elif ignored[name] == "id":
            own = to_own(value)
        seen.add(name)
    for name, column in features.items():
        if name not in seen and not column.nullable:
            note(name, "missing", None, expected(column))
    if mistakes:
        raise RefusedError(mistakes, total)
    numbers = [given.get(name, math.nan) for name in features]
    imputed = [name for name, number in zip(features, numbers, strict=True) if math.isnan(number)]
    return Row(numbers, imputed, own)


def mistake(name: str, problem: Problem, value: Any, wanted: str) -> Mistake:
    """A mistake in one field, its name and value cut to a length that an answer may have."""
    return Mistake(_short(name), problem, _shown(value), wanted)


def not_a(wanted: str, value: Any) -> Mistake:
    """The mistake of a whole body."""
    return mistake("", "body", value, wanted)


def parse(body: bytes) -> Any:
    """The JSON value in a body, with objects as `Members`.

    Raises MalformedError.
    """
    try:
        # Decoded here: json.loads would guess UTF-16 and UTF-32 from bytes.
        value = json.loads(
            body.decode(),
            object_pairs_hook=Members,
            parse_float=lambda text: _number(text, float),
            parse_int=lambda text: _number(text, int),
            parse_constant=_no_constant,
        )
        # Half of a surrogate pair (`"\\ud800"`) is no text that could be stored or sent back.
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise MalformedError(f"byte {error.start} is not UTF-8; a compressed body is not taken") from None
    except UnicodeEncodeError:
        raise MalformedError("a \\u escape is half of a surrogate pair") from None
    except json.JSONDecodeError as error:
        raise MalformedError(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise MalformedError("it is nested too deeply") from None
    return value


def _number(text: str, kind: type[int] | type[float]) -> Any:
    # First as a float, for Python refuses to read very long integers.
    return Overflow(text) if math.isinf(float(text)) else kind(text)


def _no_constant(name: str) -> NoReturn:
    raise MalformedError(f"{name} is no JSON; send null for a missing value")


def _unknown(name: str, schema: Schema) -> str:
    if name == schema.target.name:
        return "no such field: it is what the model predicts"
    names = [column.name for column in schema.columns if column.role != "target"]
    return f"a feature of the model{nearest(name, names) if len(name) <= _LONGEST_TEXT else ''}"


def _shown(value: Any) -> str | float | bool | None:
    if isinstance(value, list):
        return f"an object of {len(value)}" if isinstance(value, Members) else f"a list of {len(value)}"
    if isinstance(value, str):
        return _short(str(value))  # a plain one: an encoder knows no Overflow
    # The answer's encoder holds integers of 64 bits.
    return _short(str(value)) if type(value) is int and abs(value) >= 2**63 else value


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."
