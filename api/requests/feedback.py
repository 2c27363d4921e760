"""The body of a feedback: the id of a prediction and its actual value."""

from typing import Any, NamedTuple

from api.requests import diagnostics
from api.requests.diagnostics import RefusedError
from api.requests.values import LONGEST_ID, InvalidValueError, expected, to_number, to_own
from pipeline.contract.column import Column

ID = f"the id of a prediction: text of 1 to {LONGEST_ID} characters, or a whole number"


class Actual(NamedTuple):
    id: str
    value: float


def decode(body: bytes, target: Column) -> Actual:
    """Return the feedback in a body; the value must be one that the target may have.

    Raises MalformedError, or RefusedError with all mistakes.
    """
    wanted = {"id": ID, "actual": expected(target)}
    given: dict[str, Any] = {}
    refused = RefusedError()
    for name, value in diagnostics.members(body, "one JSON object with the keys id and actual"):
        if name not in wanted:
            refused.note(name, "unknown", value, "the keys id and actual, and no other")
        elif name in given:
            refused.note(name, "duplicate", value, "each key once")
        else:
            given[name] = value
    for name in wanted:
        if name not in given:
            refused.note(name, "missing", None, wanted[name])
    key = to_own(given.get("id"))
    if "id" in given and key is None:
        refused.note("id", "type", given["id"], ID)
    number = 0.0
    if "actual" in given:
        try:
            number = to_number(given["actual"], target)
        except InvalidValueError as error:
            refused.note("actual", error.problem, given["actual"], wanted["actual"])
    if refused.total or key is None:
        raise refused
    return Actual(key, number)
