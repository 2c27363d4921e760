"""The drift report as one page of HTML (page.html, page.css), whose size does not grow with the rows."""

from pathlib import Path
from typing import Any

import jinja2

SHOWN = 40  # findings, features, bars of a histogram, alarms of a window
WIDTH, HEIGHT = 180, 44  # pixels of a histogram; the others are in page.html

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(report: dict[str, Any]) -> str:
    """Return the page of a report of `stages.drift.compare`."""
    judged = report["verdict"] != "insufficient"
    features = sorted(report["features"].items(), key=lambda item: _rank(item[1]), reverse=True) if judged else []
    loss = report.get("expected_loss") or {}
    return TEMPLATES.get_template("page.html").render(
        report=report,
        judged=judged,
        shown=SHOWN,
        rows=[_row(name, feature) for name, feature in features[:SHOWN]],
        loss=loss,
        interval=_interval(loss["low"], loss["ratio"], loss["high"]) if "ratio" in loss else None,
        bars=_bars(report["timeline"]) if judged else [],
        width=WIDTH,
        height=HEIGHT,
    )


def _rank(feature: dict[str, Any]) -> tuple[bool, float, float]:
    """Return the place of a feature, largest first: alarms, then importance times effect."""
    effect = abs(feature.get("values", {}).get("effect", 0.0))
    alarm = any(isinstance(test, dict) and test.get("alarm") for test in feature.values())
    return alarm, (feature["importance"] or 0.0) * effect, effect


def _row(name: str, feature: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a feature in the table. `cells`: by column, the text and whether it alarms."""
    importance, values, psi, beyond = (feature.get(key) for key in ("importance", "values", "psi", "beyond"))
    alarms = {kind: feature.get(kind, {}).get("alarm", False) for kind in ("values", "constant", "missing", "invalid")}
    change = f"{values['effect']:.2f}{', one value' if alarms['constant'] else ''}" if values else ""
    cells = {
        "importance": ("" if importance is None else f"{importance:.2g}", False),
        "change": (change, alarms["values"] or alarms["constant"]),
        "p, corrected": (f"{values['p_adjusted']:.2g}" if values else "", False),
        "PSI (by chance)": (f"{psi['value']:.2f} ({psi['limit']:.2f})" if psi else "", False),
        "missing": (_rates(*feature["rates"]["missing"]), alarms["missing"]),
        "unusable": (_rates(*feature["rates"]["invalid"]), alarms["invalid"]),
        "beyond": ("" if beyond is None else f"{sum(beyond):.1%}", False),
    }
    return {"name": name, "alarm": _rank(feature)[0], "cells": cells, **_histogram(feature["histogram"])}


def _rates(before: float, now: float) -> str:
    return f"{before:.1%} → {now:.1%}" if before or now else "0"


def _histogram(shares: dict[str, Any]) -> dict[str, str]:
    """Return the outlines of both sides, as SVG paths, and the range of the values."""
    ours, theirs = shares["reference"][:SHOWN], shares["live"][:SHOWN]
    step, top = WIDTH / max(len(ours), 1), max([*ours, *theirs, 1e-9])
    reference, live = (
        "".join(f"V{HEIGHT - HEIGHT * share / top:.0f}H{k * step:.0f}" for k, share in enumerate(side, start=1))
        for side in (ours, theirs)
    )
    edges = shares.get("edges")
    span = f"{edges[0]:.4g} to {edges[-1]:.4g}" if edges else ", ".join(shares.get("labels", [])[:6])
    return {"reference": reference, "live": live, "span": span}


def _interval(*values: float) -> list[float]:
    """Return the places of low, ratio, high and 1 on a line from 0 to at least 1.5."""
    end = max(1.5, values[-1] * 1.05)
    return [WIDTH * value / end for value in (*values, 1.0)]


def _bars(timeline: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a bar for each window: as wide as the root of its rows, as high as its largest change."""
    roots = [window["rows"] ** 0.5 for window in timeline]
    top = max([abs(window["effect"]) for window in timeline] + [0.2])
    bars, left = [], 0.0
    for window, root in zip(timeline, roots, strict=True):
        width = 640 * root / sum(roots)
        bars.append({**window, "left": left, "width": width, "height": max(2.0, 90 * abs(window["effect"]) / top)})
        left += width
    return bars
