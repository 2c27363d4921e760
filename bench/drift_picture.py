"""Draws docs/drift.svg from the first table of error rates in docs/drift.md, which `python -m bench.drift` printed.

python -m bench.drift_picture
"""

import re
from math import log10
from pathlib import Path

PAGE, PATH = Path("docs/drift.md"), Path("docs/drift.svg")
WIDTH, HEIGHT, LEFT, TOP = 560, 240, 60, 48  # pixels; so are all lengths below
SERIES = {2: ("this project", "#0b5fa5"), 4: ("PSI 0.2 or KS p < 0.01", "#c2410c"), 5: ("Evidently 0.7.23", "#6b7280")}
GOAL = 0.015
ENDS = (0.001, 1.0)  # of the logarithmic axis


def draw(rows: list[list[str]]) -> str:
    """`rows`: the cells of each row of the table; a share reads `0.6% (0.3% to 0.9%)`."""

    def y(share: float) -> float:
        low, high = map(log10, ENDS)
        return TOP + HEIGHT * (high - log10(max(share, ENDS[0]))) / (high - low)

    step = WIDTH / max(len(rows) - 1, 1)
    parts = [_text(12, 20, "Reports that alarm though nothing changed (95 % intervals)", weight="bold")]
    for share in (0.001, 0.01, 0.1, 1.0):
        parts += [
            _line(LEFT, y(share), LEFT + WIDTH, y(share), "#ddd"),
            _text(LEFT - 8, y(share) + 4, f"{share:.1%}", "end"),
        ]
    parts += [
        _line(LEFT, y(GOAL), LEFT + WIDTH, y(GOAL), "#b00020"),
        _text(LEFT + 4, y(GOAL) - 5, "goal: at most 1.5 %"),
    ]
    for place, row in enumerate(rows):
        parts.append(_text(LEFT + place * step, TOP + HEIGHT + 20, row[1], "middle"))
        for offset, (column, (_, colour)) in enumerate(SERIES.items()):
            if found := re.match(r"([\d.]+)% \(([\d.]+)% to ([\d.]+)%\)", row[column]):
                value, low, high = (float(text) / 100 for text in found.groups())
                x = LEFT + place * step + 6 * (offset - 1)
                parts.append(_line(x, y(low), x, y(high), colour, 2))
                parts.append(f'<circle cx="{x:.1f}" cy="{y(value):.1f}" r="4" fill="{colour}"/>')
    parts.append(_text(LEFT + WIDTH / 2, TOP + HEIGHT + 40, "live rows", "middle"))
    for place, (name, colour) in enumerate(SERIES.values()):
        x = LEFT + 190 * place
        parts += [
            f'<circle cx="{x}" cy="{TOP + HEIGHT + 62}" r="4" fill="{colour}"/>',
            _text(x + 10, TOP + HEIGHT + 66, name),
        ]
    size = f"{LEFT + WIDTH + 40} {TOP + HEIGHT + 80}"
    looks = 'font-family="system-ui, sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" {looks}>'
    return "\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>"]) + "\n"


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: int = 1) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "normal") -> str:
    text = text.replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="#222">{text}</text>'


def main() -> None:
    table = re.findall(r"(?m)^\| ([\d,]+) \|(.*)\|$", PAGE.read_text(encoding="utf-8"))
    rows = [
        ["", size, *(cell.strip() for cell in rest.split("|"))] for size, rest in table if "goal" in rest or "%" in rest
    ]
    PATH.write_text(draw(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
