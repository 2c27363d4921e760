"""The pictures of the drift page as inline SVG; colours are the page's variables, lengths are pixels."""

from html import escape
from typing import Any

WIDE, HIGH = 180, 44
BARS = 40  # of a picture; further codes of a category are left out


def histogram(shares: dict[str, Any]) -> str:
    """Reference filled, live as a line over it; both as shares of their rows, the outer bins open."""
    ours, theirs = shares["reference"][:BARS], shares["live"][:BARS]
    top, step = max([*ours, *theirs, 1e-9]), WIDE / max(len(ours), 1)
    area, line = (_steps(side, step, top) for side in (ours, theirs))
    edges = shares.get("edges")
    about = f"{edges[0]:.4g} to {edges[-1]:.4g}" if edges else ", ".join(shares.get("labels", [])[:6])
    return (
        f'<svg viewBox="0 0 {WIDE} {HIGH + 14}" width="{WIDE}" role="img" '
        f'aria-label="reference and live, {escape(about)}">'
        f'<path d="M0 {HIGH}{area}V{HIGH}Z" fill="var(--ref)"/>'
        f'<path d="M0 {HIGH}{line}V{HIGH}" fill="none" stroke="var(--live)" stroke-width="2"/>'
        f'<text x="{WIDE / 2:.0f}" y="{HIGH + 12}" text-anchor="middle">{escape(about[:32])}</text></svg>'
    )


def interval(low: float, value: float, high: float) -> str:
    """A ratio with its interval on a scale around 1."""
    end = max(1.5, high * 1.05)
    x = [WIDE * min(1.0, at / end) for at in (low, value, high, 1.0)]
    return (
        f'<svg viewBox="0 0 {WIDE} 26" width="{WIDE}" role="img" aria-label="{low:.2f} to {high:.2f}">'
        f'<path d="M0 8H{WIDE}" stroke="var(--line)"/><path d="M{x[3]:.0f} 2V14" stroke="var(--soft)"/>'
        f'<path d="M{x[0]:.0f} 8H{x[2]:.0f}" stroke="var(--live)" stroke-width="3"/>'
        f'<circle cx="{x[1]:.0f}" cy="8" r="4" fill="var(--live)"/>'
        f'<text x="{x[3]:.0f}" y="25" text-anchor="middle">1</text></svg>'
    )


def timeline(blocks: list[dict[str, Any]]) -> str:
    """A bar a block, as wide as it has rows (on a root scale), as high as the largest change of a feature in it."""
    width, high, base = 640, 90, 104
    roots = [block["rows"] ** 0.5 for block in blocks]
    top = max([abs(block["effect"]) for block in blocks] + [0.2])
    left, parts = 0.0, []
    for block, root in zip(blocks, roots, strict=True):
        wide = width * root / sum(roots)
        tall = max(2.0, high * abs(block["effect"]) / top)
        colour = "--bad" if block["alarms"] else "--ref"
        alarms = f"; alarms: {', '.join(block['alarms'][:BARS])}" if block["alarms"] else ""
        rows = f"{block['first']} to {block['last']}, {block['rows']} rows"
        about = f"{rows}: {block['largest']} {block['effect']:.2f}{alarms}"
        parts.append(
            f'<rect x="{left:.1f}" y="{base - tall:.1f}" width="{max(wide - 1.5, 0.5):.1f}" height="{tall:.1f}" '
            f'fill="var({colour})"><title>{escape(about)}</title></rect>'
        )
        left += wide
    first, last = escape(blocks[0]["first"]), escape(blocks[-1]["last"])
    return (
        f'<svg viewBox="0 0 {width} 122" width="{width}" role="img" aria-label="changes over time">{"".join(parts)}'
        f'<path d="M0 {base}H{width}" stroke="var(--line)"/><text x="0" y="118">{first}</text>'
        f'<text x="{width}" y="118" text-anchor="end">{last}</text></svg>'
    )


def _steps(shares: list[float], step: float, top: float) -> str:
    return "".join(f"V{HIGH - HIGH * share / top:.0f}H{(k + 1) * step:.0f}" for k, share in enumerate(shares))
