"""Draws docs/gate.svg: how often the gate promotes, by how much better or worse the challenger truly is.

python -m bench.gate_picture
"""

from collections.abc import Iterable
from pathlib import Path

from bench import gate
from bench.gate import Cell
from pipeline.contract import params

PATH = Path("docs/gate.svg")
FACTORS = (1.1, 1.075, 1.05, 1.025, 1.0, 0.975, 0.95, 0.925, 0.9, 0.875, 0.85, 0.825, 0.8)
WIDTH, HEIGHT = 250, 220  # of one panel, in pixels; so are all lengths below
LEFT, TOP, GAP, BELOW = 60, 56, 50, 96
COLOURS = {"normal": "#0b5fa5", "t3": "#c2410c"}
NAMES = {"normal": "normal errors", "t3": "heavy tails (t, 3 degrees of freedom)"}
DASHES = {0.0: "1 4", 0.5: "6 4", 0.9: "none"}


def draw(cells: list[Cell], goal: float) -> str:
    """Panels side by side, one for each number of rows."""
    sizes = sorted({cell.n for cell in cells})
    panels = [_panel(place, n, [c for c in cells if c.n == n], goal) for place, n in enumerate(sizes)]
    width = LEFT + len(sizes) * (WIDTH + GAP)
    height = TOP + HEIGHT + BELOW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#222">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        _text(LEFT, 20, "Share of challengers that the gate promotes", size=14, weight="bold"),
        *panels,
        *_legend(LEFT, height - 22),
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(place: int, n: int, cells: Iterable[Cell], goal: float) -> str:
    left = LEFT + place * (WIDTH + GAP)
    parts = [_text(left, TOP - 10, f"{n:,} test rows", weight="bold")]
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(_line([(left, _y(share)), (left + WIDTH, _y(share))], "#ddd"))
        if place == 0:
            parts.append(_text(left - 8, _y(share) + 4, f"{share:.0%}", anchor="end"))
    for factor in (1.1, 1.0, 0.9, 0.8):
        parts.append(
            _text(_x(left, factor), TOP + HEIGHT + 18, f"{factor - 1:+.0%}".replace("+0%", "0"), anchor="middle")
        )
    parts.append(_text(left + WIDTH / 2, TOP + HEIGHT + 38, "true change of RMSE", anchor="middle"))
    parts.append(_line([(_x(left, 1), _y(0)), (_x(left, 1), _y(1))], "#999"))
    parts.append(_line([(left, _y(goal)), (_x(left, 1), _y(goal))], "#b00020"))
    if place == 0:
        parts.append(_text(left + 4, _y(goal) - 5, f"at most {goal:.0%}", colour="#b00020"))
    for cell in cells:
        points = [(_x(left, factor), _y(count / cell.trials)) for factor, count in cell.promoted.items()]
        parts.append(_line(points, COLOURS[cell.tails], 2, DASHES[cell.correlation]))
    return "\n".join(parts)


def _legend(left: float, y: float) -> Iterable[str]:
    for tails, colour in COLOURS.items():
        yield _line([(left, y - 4), (left + 26, y - 4)], colour, 2)
        yield _text(left + 32, y, NAMES[tails])
        left += 60 + 6.2 * len(NAMES[tails])
    yield _text(left, y, "correlation of the two models' errors:")
    left += 228
    for correlation, dash in DASHES.items():
        yield _line([(left, y - 4), (left + 30, y - 4)], "#222", 2, dash)
        yield _text(left + 36, y, f"{correlation:g}")
        left += 68


def _x(left: float, factor: float) -> float:
    return left + WIDTH * (1.1 - factor) / 0.3


def _y(share: float) -> float:
    return TOP + HEIGHT * (1 - share)


def _line(points: Iterable[tuple[float, float]], colour: str, width: int = 1, dash: str = "none") -> str:
    at = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{at}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dash}"/>'


def _text(
    x: float, y: float, text: str, anchor: str = "start", size: int = 12, weight: str = "normal", colour: str = "#222"
) -> str:
    style = f'text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{text}</text>'


def main() -> None:
    PATH.write_text(draw(list(gate.cells(params.load(params.Gate), FACTORS)), 0.05), encoding="utf-8")


if __name__ == "__main__":
    main()
