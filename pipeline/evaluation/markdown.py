"""Markdown from values."""

from collections.abc import Iterable

from pipeline.contract.number_text import figure


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    """Return a table with these cells."""
    lines = [header, ["---"] * len(header), *(map(cell, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """Return the text of a cell: a bar is escaped, because it would begin the next one."""
    return text.replace("|", "\\|")


def interval(bounds: tuple[float, float] | None) -> str:
    return f"{figure(bounds[0])} to {figure(bounds[1])}" if bounds else ""
