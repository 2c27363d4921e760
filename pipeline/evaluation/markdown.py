"""Markdown from values: tables, and numbers as a reader wants them."""

from collections.abc import Iterable


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    """A table; a bar in a cell is escaped, for it would begin the next one."""
    lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None) -> str:
    """Four decimals of small numbers, one of large ones."""
    return "not defined" if value is None else f"{value:,.{4 if abs(value) < 100 else 1}f}"


def interval(bounds: tuple[float, float] | None) -> str:
    return f"{number(bounds[0])} to {number(bounds[1])}" if bounds else ""
