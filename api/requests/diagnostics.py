"""The slow reader of request bodies, in plain Python: it names everything that is wrong with one.

It accepts what the fast decoder of `api.requests.decoder` accepts, and valid bodies that this one passes on, such as
text with colons or a number in text.
"""

import math
from typing import Any

import msgspec

from api.requests.strict_json import Members, parse
from api.requests.values import InvalidValueError, Problem, expected, is_time, missing, to_numbers, to_own
from pipeline.contract.schema import Schema
from pipeline.contract.yaml_config import nearest

# Mistakes that one answer lists. More are only counted: a hostile body costs little and its answer stays short.
MOST_MISTAKES = 50
_LONGEST_TEXT = 100  # characters of a name or value that an answer repeats


class Row(msgspec.Struct, gc=False):
    """A decoded row. `numbers`: those of the model's matrix in order, NaN for missing ones. `imputed`: the names of the
    features without a value. `own`: the caller's own id."""

    numbers: list[float]
    imputed: list[str]
    own: str | None = None


class Mistake(msgspec.Struct, frozen=True):
    """`value`: what was found, shortened; null where there is nothing. `expected`: what is allowed."""

    field: str
    problem: Problem
    value: str | float | bool | None
    expected: str


class MistakeInRow(Mistake, frozen=True):
    """`row`: the number of the row in the batch, from 0; null where the whole body is at fault."""

    row: int | None


class RefusedError(Exception):
    """The body is JSON and not a row: the first `most` of `total` mistakes."""

    def __init__(self, most: int = MOST_MISTAKES) -> None:
        self.most = most
        self.mistakes: list[Mistake] = []
        self.total = 0

    def note(self, field: str, problem: Problem, value: Any, expected: str) -> None:
        """Count a mistake, and list it where there is room."""
        self.total += 1
        if len(self.mistakes) < self.most:
            self.mistakes.append(Mistake(shortened(field), problem, _shown(value), expected))


def read(body: bytes, schema: Schema, listed: int = MOST_MISTAKES) -> Row:
    """Return the row in a body.

    Raises MalformedError, or RefusedError with at most `listed` mistakes, in the order of the body and then what is
    missing.
    """
    features = {column.name: column for column in schema.features}
    others = {column.name: column for column in schema.others}
    given: dict[str, list[float]] = {}
    seen: set[str] = set()
    own = None
    refused = RefusedError(listed)
    for name, value in members(body, "one JSON object with the features as keys"):
        if name in seen:
            refused.note(name, "duplicate", value, "each key once")
        elif name in features:
            try:
                given[name] = to_numbers(value, features[name])
            except InvalidValueError as error:
                refused.note(name, error.problem, value, expected(features[name]))
        elif name not in others:
            # The search for a similar name costs: only for those that are listed.
            refused.note(name, "unknown", value, _unknown(name, schema) if refused.total < listed else "")
        elif others[name].role == "id":
            own = to_own(value)
        elif others[name].role == "time" and not is_time(value, others[name]):
            refused.note(name, "type", value, f"{expected(others[name])}, or null")
        seen.add(name)
    for name, column in features.items():
        if name not in seen and not column.nullable:
            refused.note(name, "missing", None, expected(column))
    if refused.total:
        raise refused
    numbers = {name: given.get(name) or missing(column) for name, column in features.items()}
    imputed = [name for name, (first, *_) in numbers.items() if math.isnan(first)]
    return Row([number for each in numbers.values() for number in each], imputed, own)


def members(body: bytes, wanted: str) -> Members:
    """Return the members of the object in a body.

    Raises MalformedError, or RefusedError where the JSON is not the `wanted` object.
    """
    found = parse(body)
    if not isinstance(found, Members):
        raise not_a(wanted, found)
    return found


def not_a(wanted: str, value: Any) -> RefusedError:
    """Return the error of a body that is JSON of another kind."""
    refused = RefusedError()
    refused.note("", "body", value, wanted)
    return refused


def _unknown(name: str, schema: Schema) -> str:
    if name == schema.target.name:
        return "no such field: it is what the model predicts"
    names = [column.name for column in schema.columns if column.role != "target"]
    return f"a feature of the model{nearest(name, names) if len(name) <= _LONGEST_TEXT else ''}"


def _shown(value: Any) -> str | float | bool | None:
    if isinstance(value, list):
        return f"an object of {len(value)}" if isinstance(value, Members) else f"a list of {len(value)}"
    # The answer's encoder knows no Overflow, and integers of 64 bits.
    beyond = isinstance(value, int) and abs(value) >= 2**63
    return shortened(str(value)) if isinstance(value, str) or beyond else value


def shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."
