"""The body of a batch: a JSON array of rows, all of them right or none taken."""

from typing import Any

import msgspec

from api.requests import diagnostics
from api.requests.decoder import Contract
from api.requests.diagnostics import MOST_MISTAKES, MalformedError, Mistake, MistakeInRow, RefusedError, Row

_parts = msgspec.json.Decoder(list[msgspec.Raw])


class TooManyError(Exception):
    """More rows than a batch may have; the message says how many."""


def decode(body: bytes, contract: Contract, most: int) -> tuple[list[Row], list[str]]:
    """The rows in a body, and the JSON of each as it stands there.

    Raises TooManyError, MalformedError where the body is no JSON, and RefusedError with the mistakes of all rows.
    """
    try:
        parts = [bytes(part) for part in _parts.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # For the reason: it is no JSON, or no array.
        whole = diagnostics.not_a("one JSON array of rows", diagnostics.parse(body))
        raise RefusedError([_in_row(whole, None)], 1) from None
    if len(parts) > most:
        raise TooManyError(f"expected at most {most} rows (API_MAX_BATCH), found {len(parts)}; send them in parts")
    rows: list[Row] = []
    mistakes: list[MistakeInRow] = []
    total = 0
    for number, part in enumerate(parts):
        try:
            rows.append(contract.decode(part))
        except RefusedError as error:
            total += error.total
            room = MOST_MISTAKES - len(mistakes)
            mistakes += [_in_row(mistake, number) for mistake in error.mistakes[:room]]
        except MalformedError as error:
            raise MalformedError(f"row {number}: {error}") from None
    if mistakes:
        raise RefusedError(mistakes, total)
    return rows, [part.decode() for part in parts]


def _in_row(mistake: Mistake, row: int | None) -> MistakeInRow:
    fields: dict[str, Any] = msgspec.structs.asdict(mistake)
    return MistakeInRow(**fields, row=row)
