"""Guesses and remarks: a guessed column, and what a person should check in a guessed schema."""

from typing import NamedTuple

from pipeline.contract.schema import Column


class Guess(NamedTuple):
    """A column, and a remark on it: `topic`, empty where there is none, and `detail`, both as in Remark."""

    column: Column
    topic: str = ""
    detail: str = ""


class Remark(NamedTuple):
    """`topic`: the fact and what to do, the same for all its columns; `name`: the column, empty where it is about the
    whole table; `detail`: what is particular to that column."""

    topic: str
    name: str = ""
    detail: str = ""


def shown(text: str, longest: int = 40) -> str:
    """Return a cell in quotes, cut where it is long."""
    return repr(text if len(text) <= longest else text[:longest] + "…")


def some(texts: list[str]) -> str:
    """Return the first three cells, and how many more there are."""
    return ", ".join(map(shown, texts[:3])) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")
