"""The body of a feedback: which prediction, and the value that turned out to be true."""

from typing import Any, NamedTuple

from api.requests import diagnostics
from api.requests.diagnostics import Members, Mistake, RefusedError
from api.requests.values import LONGEST_ID, RefusalError, expected, to_number, to_own
from pipeline.contract.schema import Column

ID = f"the id of a prediction: text of 1 to {LONGEST_ID} characters, or a whole number"


class Actual(NamedTuple):
    id: str
    value: float


def decode(body: bytes, target: Column) -> Actual:
    """The feedback in a body; the value must be one that the target may have.

    Raises MalformedError, or RefusedError with all mistakes.
    """
    members = diagnostics.parse(body)
    if not isinstance(members, Members):
        raise RefusedError([diagnostics.not_a("one JSON object with the keys id and actual", members)], 1)
    wanted = {"id": ID, "actual": expected(target)}
    given: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for name, value in members:
        if name not in wanted:
            mistakes.append(diagnostics.mistake(name, "unknown", value, "the keys id and actual, and no other"))
        elif name in given:
            mistakes.append(diagnostics.mistake(name, "duplicate", value, "each key once"))
        else:
            given[name] = value
    mistakes += [diagnostics.mistake(name, "missing", None, wanted[name]) for name in wanted if name not in given]
    key = to_own(given.get("id"))
    if "id" in given and key is None:
        mistakes.append(diagnostics.mistake("id", "type", given["id"], ID))
    number = 0.0
    if "actual" in given:
        try:
            number = to_number(given["actual"], target)
        except RefusalError as refusal:
            mistakes.append(diagnostics.mistake("actual", refusal.problem, given["actual"], wanted["actual"]))
    if mistakes or key is None:
        raise RefusedError(mistakes[: diagnostics.MOST_MISTAKES], len(mistakes))
    return Actual(key, number)
