"""Guesses at columns, and remarks on what a person should check in them."""

import json
from typing import NamedTuple

from pipeline.contract.column import Column


class Guess(NamedTuple):
    """A guessed column, and the `topic` (empty: no remark) and `detail` of a Remark on it."""

    column: Column
    topic: str = ""
    detail: str = ""


class Remark(NamedTuple):
    """`topic`: the fact and what to do, which columns may share; `name`: the column, empty for the whole table;
    `detail`: what is particular to that column."""

    topic: str
    name: str = ""
    detail: str = ""


def shown(text: str, longest: int = 40) -> str:
    """Return a cell in quotes, cut where it is long."""
    return repr(text if len(text) <= longest else text[:longest] + "…")


def quoted(text: str) -> str:
    """Return a text as YAML has it in quotes."""
    return json.dumps(text, ensure_ascii=False)


def some(texts: list[str]) -> str:
    """Return the first three cells, and how many more there are."""
    return ", ".join(map(shown, texts[:3])) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")
