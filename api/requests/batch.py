"""The body of a batch: a JSON array of rows, of which all are valid or none is taken."""

import msgspec

from api.requests import diagnostics, strict_json
from api.requests.decoder import Contract
from api.requests.diagnostics import MOST_MISTAKES, MistakeInRow, RefusedError, Row
from api.requests.strict_json import MalformedError

_parts = msgspec.json.Decoder(list[msgspec.Raw])


class TooManyError(Exception):
    """A batch has more rows than allowed; the message says how many."""


def decode(body: bytes, contract: Contract, most: int) -> tuple[list[Row], list[str]]:
    """Return the rows in a body, and the JSON of each without whitespace.

    Raises TooManyError, MalformedError where the body is no JSON, and RefusedError with the mistakes of all rows.
    """
    refused = RefusedError()
    try:
        parts = [bytes(part) for part in _parts.decode(strict_json.compact(body))]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # For the reason: it is no JSON, or no array.
        _add(refused, diagnostics.not_a("one JSON array of rows", strict_json.parse(body)), None)
        raise refused from None
    if len(parts) > most:
        raise TooManyError(f"expected at most {most} rows (API_MAX_BATCH), found {len(parts)}; send them in parts")
    rows: list[Row] = []
    for number, part in enumerate(parts):
        try:
            rows.append(contract.decode(part, MOST_MISTAKES - len(refused.mistakes)))
        except RefusedError as error:
            _add(refused, error, number)
        except MalformedError as error:
            raise MalformedError(f"row {number}: {error}") from None
    if refused.total:
        raise refused
    return rows, [part.decode() for part in parts]


def _add(refused: RefusedError, error: RefusedError, row: int | None) -> None:
    """Add the mistakes of one row, or of the whole body (None)."""
    refused.mistakes += [MistakeInRow(**msgspec.structs.asdict(mistake), row=row) for mistake in error.mistakes]
    refused.total += error.total
