"""JSON read strictly (RFC 8259, UTF-8), so that every key and number of a body can be told as it was sent."""

import json
import math
from typing import Any, NoReturn

import msgspec


class MalformedError(Exception):
    """The body is not JSON; the message says where."""


class Members(list[tuple[str, Any]]):
    """The keys and values of an object as they stand: a dict would drop a key given twice."""


class Overflow(str):
    """The text of a number that JSON allows and that is too large for a float."""


def parse(body: bytes) -> Any:
    """Return the JSON value in a body, with objects as `Members` and too large numbers as `Overflow`.

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
        # Half of a surrogate pair (`"\\ud800"`) is no text: it could not be stored or sent back.
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


def compact(body: bytes) -> bytes:
    """Return a body of valid JSON without the whitespace between its tokens; numbers and texts stay as they are.

    Raises msgspec.DecodeError or RecursionError where the body is no JSON, or nested too deeply.
    """
    return msgspec.json.format(body, indent=-1)


def _number(text: str, kind: type[int] | type[float]) -> Any:
    # First as a float, for Python refuses to read very long integers.
    return Overflow(text) if math.isinf(float(text)) else kind(text)


def _no_constant(name: str) -> NoReturn:
    raise MalformedError(f"{name} is no JSON; send null for a missing value")
