"""The fast decoder and the diagnosing reader agree on any body."""

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.requests import diagnostics
from api.requests.decoder import Contract
from api.requests.diagnostics import RefusedError
from api.requests.strict_json import MalformedError
from tests.api.conftest import COLUMNS, row

# Letters of one to four bytes, and those that JSON must escape.
TEXT = st.text('aZ1:, {"\\\n\x7fñ€𝄞', max_size=5)
# Values near every border of the contract, and any JSON.
LEAVES: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([10.0, 500, 1e39, -3.4028234663852886e38, 2**53, 2**53 + 1, 2**64, 1e22, 0.0, -0.0, 3.0])
    | st.sampled_from(
        ["Centro", "Ñuñoa ", "San José: este", "gas", "1", "1.0", "a:b", "", "NA", "yes", "3", " 1e1", "2.5", "1e999"]
    )
    | st.sampled_from(
        [
            "17/5/2020",
            " 01/12/1999",
            "2020-02-29",
            "2020-02-29T10:05Z",
            "2020",
            "\u0661/5/2020",
            "5/17/2020",
        ]
    )
    | TEXT
)
ANY = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2))
# What turns valid JSON into something near it.
JUNK = st.binary(max_size=3) | st.sampled_from(
    [
        *(b"e999", b"-", b"null", b"true", b"NaN", b'"rooms":3,', b'"price":1,', b'"', b"\\", b"\\u00", b"\\ud800"),
        *(b":", b",", b"{", b"[", b"]", b"}", b".0", b"-Infinity", b"00", b"9" * 400, b"1e-400", b"\xed\xa0\x80"),
        *(b"\xef\xbb\xbf", b'"note":[[[[]]]],', b"[" * 300, b'{"a":' * 300),
    ]
)
NAMES = st.sampled_from([*COLUMNS, "Rooms", "f0", "", "x"])


def outcome(read: Any, *arguments: Any) -> Any:
    """Return a reader's result in a form that can be compared: NaN as None, errors as their content."""
    try:
        found = read(*arguments)
    except RefusedError as error:
        return error.total, error.mistakes
    except MalformedError as error:
        return str(error)
    return [None if math.isnan(number) else number for number in found.numbers], found.imputed, found.own


@given(st.dictionaries(NAMES, LEAVES | ANY, max_size=3), st.booleans())
def test_the_readers_agree(contract: Contract, changes: dict[str, Any], escape: bool) -> None:
    """The fast decoder and the diagnosing reader accept the same bodies, with the same numbers and the same own id."""
    content = json.dumps(row() | changes, ensure_ascii=escape).encode(errors="surrogatepass")
    assert outcome(contract.decode, content) == outcome(diagnostics.read, content, contract.schema)


@given(st.integers(0, 200), JUNK, st.integers(0, 4))
def test_the_readers_agree_on_damaged_bodies(contract: Contract, place: int, junk: bytes, removed: int) -> None:
    """They agree on bodies with bytes put in, taken out or replaced."""
    whole = json.dumps(row(listing="x"), ensure_ascii=False).encode()
    content = whole[:place] + junk + whole[place + removed :]
    assert outcome(contract.decode, content) == outcome(diagnostics.read, content, contract.schema)
