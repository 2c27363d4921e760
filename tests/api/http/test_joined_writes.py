"""The transport that joins the head and the body of an answer."""

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest

from api.http import joined_writes
from api.http.joined_writes import JoinedWrites


async def written(*steps: tuple[str, Any]) -> list[bytes]:
    """Return what reaches the transport in a turn of the loop that does these steps, and in the next turn."""
    transport = Mock()
    transport.is_closing = lambda: transport.abort.called
    joined = JoinedWrites(transport, asyncio.get_running_loop())
    for name, *arguments in steps:
        getattr(joined, name)(*arguments)
    await asyncio.sleep(0)
    return [call.args[0] if call.args else call[0].encode() for call in transport.method_calls]


LARGE = b"x" * joined_writes._SMALL


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([("write", b"head "), ("write", b"body")], [b"head body"]),
        ([("write", b"head ")], [b"head "]),
        ([("write", b"head "), ("write", LARGE)], [b"head ", LARGE]),
        ([("write", b"1 "), ("write", b"2 "), ("write", b"3 ")], [b"1 2 ", b"3 "]),
        ([("write", b"head "), ("close",)], [b"head ", b"close"]),
        ([("write", b"head "), ("write_eof",)], [b"head ", b"write_eof"]),
        ([("write", b"head "), ("abort",)], [b"abort"]),
        ([("abort",), ("write", b"head "), ("write", b"body")], [b"abort"]),
    ],
)
def test_what_is_written_is_sent_in_its_order(steps: list[Any], expected: list[bytes]) -> None:
    """Two writes are one, a large one stays alone, a single one leaves at the end of the turn, and none stays behind
    where the connection ends; after its end none is made, for uvloop would raise."""
    assert asyncio.run(written(*steps)) == expected
