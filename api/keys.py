"""API keys: their names and scopes, as the variable API_KEYS gives them."""

import hashlib
import re
from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

# What a key may be used for; a route's `opt` names the scope that it needs.
Scope = Literal["predict", "feedback", "metrics"]
SCOPES: frozenset[str] = frozenset(get_args(Scope))
EXPECTED = (
    "KEY or NAME:SCOPES:KEY between commas, with a NAME of at most 32 letters, digits and ._- and with SCOPES of "
    f"{', '.join(sorted(SCOPES))} joined by +"
)


class Key(NamedTuple):
    """The `digest` of a key, its `name` in logs, metrics and labels, and the `scopes` that it opens."""

    digest: bytes
    name: str
    scopes: frozenset[str]


def digest(key: bytes) -> bytes:
    """Return the SHA-256 of an API key: the server keeps nothing that a log or a traceback could reveal."""
    return hashlib.sha256(key).digest()


def parse(words: Iterable[str]) -> tuple[Key, ...]:
    """Return the keys of these words: KEY, which opens all and is named by its place (key1), or NAME:SCOPES:KEY.

    Two keys may share a name, so that one can replace the other. Raises ValueError, which shows no key.
    """
    keys = tuple(_key(word, place) for place, word in enumerate(words, 1))
    if len({key.digest for key in keys}) < len(keys):
        raise ValueError("each key once")
    return keys


def _key(word: str, place: int) -> Key:
    if ":" not in word:
        if set(re.split("[+;|/]", word)) & SCOPES:  # such as `crm;predict;KEY`, or a scope after a comma
            raise ValueError(EXPECTED)
        return Key(digest(word.encode()), f"key{place}", SCOPES)
    name, scopes, key = [*word.split(":", 2), ""][:3]
    given = frozenset(scopes.split("+"))
    if not (re.fullmatch(r"[A-Za-z0-9._-]{1,32}", name) and given <= SCOPES and key):
        raise ValueError(EXPECTED)
    return Key(digest(key.encode()), name, given)
