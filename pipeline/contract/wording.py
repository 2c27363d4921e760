"""Numbers and names in sentences."""

from collections.abc import Iterable


def counted(number: int, noun: str) -> str:
    """Return the number with its noun: `1 feature`, `1,200 features`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def titles(names: Iterable[object]) -> list[str]:
    """Return the names of a header for a message; a column without a name is called by its place, counted from 1."""
    return [str(name) or f"(column {place} has no name)" for place, name in enumerate(names, 1)]
