"""Draws docs/champions.svg: the gate on the challengers of metrics/history.jsonl, one after the other.

python -m bench.champions_picture
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.registry import history

PATH = Path("docs/champions.svg")
LEFT, TOP, WIDTH, ROW, STEP = 250, 60, 430, 26, 18  # pixels: of names, the head, the axis, a challenger, an interval
LOW, HIGH = -0.4, 0.2  # ends of the axis
COLOURS = {"promote": "#15803d", "keep": "#b00020", "inconclusive": "#6b7280"}


def draw(entries: list[dict[str, Any]]) -> str:
    """Return the picture: for each verdict against a champion the interval of each kind of evidence."""
    parts, y = [_text(16, 24, "Change of RMSE from champion to challenger, with its interval", weight="bold")], TOP
    for place, entry in enumerate(entries):
        if entry.get("change_low") is None:
            continue
        later = (each for each in entries[place + 1 :] if each.get("promoted") == entry["challenger"])
        parts += _verdict(entry, next(later, {}), y)
        y += ROW + STEP * max(1, len(entry.get("evidence", {})))
    for tick in (-0.4, -0.3, -0.2, -0.1, 0, 0.1, 0.2):
        colour = "#444" if tick == 0 else "#ddd"
        parts.insert(1, f'<line x1="{_x(tick)}" x2="{_x(tick)}" y1="{TOP - 12}" y2="{y}" stroke="{colour}"/>')
        parts.append(_text(_x(tick), y + 16, f"{tick:+.0%}".replace("+0%", "0"), anchor="middle"))
    width, height = LEFT + WIDTH + 30, y + 30
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
    style = 'font-family="system-ui, sans-serif" font-size="12" fill="#222">'
    return "\n".join([head + style, f'<rect width="{width}" height="{height}" fill="#fff"/>', *parts, "</svg>", ""])


def _verdict(entry: dict[str, Any], promoted: dict[str, Any], y: float) -> Iterable[str]:
    colour = COLOURS[entry["verdict"]]
    yield _text(16, y, f"{entry['challenger'][:8]} against {entry['champion'][:8]}", weight="bold")
    forced = " by force" if promoted.get("forced") else ""
    ended = f", promoted{forced} as {promoted['version']}" if promoted else ""
    yield _text(LEFT, y, f"{entry['verdict']}{ended}", colour=colour)
    whole = {"n": entry["n"], "change": entry["change"], "low": entry["change_low"], "high": entry["change_high"]}
    for line, (name, found) in enumerate((entry.get("evidence") or {"test rows": whole}).items(), 1):
        at = y + STEP * line - 2
        low, high = (_x(min(max(found[end], LOW), HIGH)) for end in ("low", "high"))
        yield _text(28, at + 4, f"{name} ({found['n']})")
        yield f'<line x1="{low}" x2="{high}" y1="{at}" y2="{at}" stroke="{colour}" stroke-width="3"/>'
        yield f'<circle cx="{_x(found["change"])}" cy="{at}" r="5" fill="{colour}"/>'


def _x(change: float) -> float:
    return round(LEFT + WIDTH * (change - LOW) / (HIGH - LOW), 1)


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "normal", colour: str = "#222") -> str:
    style = f'text-anchor="{anchor}" font-weight="{weight}" fill="{colour}"'
    return f'<text x="{x}" y="{y}" {style}>{text}</text>'


if __name__ == "__main__":
    PATH.write_text(draw(history.read()), encoding="utf-8")
