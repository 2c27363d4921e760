"""The drift report as one page of HTML (page.html, page.css), whose size does not grow with the rows."""

from pathlib import Path
from typing import Any

import jinja2

from pipeline.contract.number_text import figure, plain
from pipeline.contract.wording import counted

SHOWN = 40  # findings, features, bars of a histogram, alarms of a window
WIDTH, HEIGHT = 180, 44  # pixels of a histogram

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters |= {"figure": figure, "counted": counted}


def render(report: dict[str, Any]) -> str:
    """Return the page of a report of `stages.drift.compare`."""
    judged = "findings" in report
    features = sorted(report["features"].items(), key=lambda item: _rank(item[1]), reverse=True) if judged else []
    rows = [_row(name, feature) for name, feature in features[:SHOWN]]
    template = TEMPLATES.get_template("page.html")
    return template.render(report=report, judged=judged, rows=rows, shown=SHOWN, width=WIDTH, height=HEIGHT)


def _rank(feature: dict[str, Any]) -> tuple[bool, float, float]:
    """Return the place of a feature, largest first: alarms, then importance times effect."""
    effect = abs(feature.get("values", {}).get("effect", 0.0))
    alarm = any(isinstance(test, dict) and test.get("alarm") for test in feature.values())
    return alarm, (feature["importance"] or 0.0) * effect, effect


def _row(name: str, feature: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a feature in the table. `cells`: by column, the text and whether it alarms."""
    importance, values, psi, beyond = (feature.get(key) for key in ("importance", "values", "psi", "beyond"))
    alarms = {kind: feature.get(kind, {}).get("alarm", False) for kind in ("values", "constant", "missing", "invalid")}
    rates = {kind: f"{old:.1%} → {new:.1%}" if old or new else "0" for kind, (old, new) in feature["rates"].items()}
    change = f"{values['effect']:.2f}{', one value' if alarms['constant'] else ''}" if values else ""
    cells = {
        "importance": ("" if importance is None else figure(importance, 2), False),
        "change": (change, alarms["values"] or alarms["constant"]),
        "p, corrected": (f"{values['p_adjusted']:.2g}" if values else "", False),
        "PSI (by chance)": (f"{psi['value']:.2f} ({psi['limit']:.2f})" if psi else "", False),
        "missing": (rates["missing"], alarms["missing"]),
        "unusable": (rates["invalid"], alarms["invalid"]),
        "beyond": ("" if beyond is None else f"{sum(beyond):.1%}", False),
    }
    return {"name": name, "alarm": _rank(feature)[0], "cells": cells, **_histogram(feature["histogram"])}


def _histogram(shares: dict[str, Any]) -> dict[str, str]:
    """Return the outlines of both sides, as SVG paths, and the range of the values."""
    ours, theirs = shares["reference"][:SHOWN], shares["live"][:SHOWN]
    step, top = WIDTH / max(len(ours), 1), max([*ours, *theirs, 1e-9])
    reference, live = (
        "".join(f"V{HEIGHT - HEIGHT * share / top:.0f}H{k * step:.0f}" for k, share in enumerate(side, start=1))
        for side in (ours, theirs)
    )
    edges = shares.get("edges")
    ends = [edge if isinstance(edge, str) else plain(edge) for edge in (edges[0], edges[-1])] if edges else []
    span = " to ".join(ends) if ends else ", ".join(shares.get("labels", [])[:6])
    return {"reference": reference, "live": live, "span": span}
