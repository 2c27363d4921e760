"""Markdown from values: tables, and numbers as a reader wants them."""

from collections.abc import Iterable


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    """Return a table with these cells."""
    lines = [header, ["---"] * len(header), *(map(cell, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """Return the text of a cell: a bar is escaped, because it would begin the next one."""
    return text.replace("|", "\\|")


def number(value: float | None) -> str:
    """Return four decimals of a small number, one of a large one."""
    return "not defined" if value is None else f"{value:,.{4 if abs(value) < 100 else 1}f}"


def interval(bounds: tuple[float, float] | None) -> str:
    return f"{number(bounds[0])} to {number(bounds[1])}" if bounds else ""
