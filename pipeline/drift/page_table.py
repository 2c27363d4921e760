"""The table of features of the drift page: those that alarm first, then by importance times change."""

from html import escape
from typing import Any

from pipeline.drift.page_charts import histogram

SHOWN = 40  # features with a row
COLUMNS = [
    "feature",
    "importance",
    "change",
    "p, corrected",
    "PSI (by chance)",
    "missing",
    "unusable",
    "beyond",
    "values",
]
HEAD = "".join(f"<th>{name}</th>" for name in COLUMNS)


def render(report: dict[str, Any]) -> str:
    features = sorted(report["features"].items(), key=lambda item: _rank(item[1]), reverse=True)
    rows = "".join(_row(name, feature) for name, feature in features[:SHOWN])
    left = len(features) - SHOWN
    more = f'<p class="soft">{left} more features, none of which matters more.</p>' if left > 0 else ""
    return (
        '<section><h2>Features</h2><p class="soft key">Those that alarm first, then by importance times change.'
        '<i style="background:var(--ref)"></i>reference<i style="background:var(--live);height:.2rem"></i>live</p>'
        f"<table><thead><tr>{HEAD}</tr></thead><tbody>{rows}</tbody></table>{more}"
        "</section>"
    )


def _rank(feature: dict[str, Any]) -> tuple[bool, float, float]:
    effect = abs(feature.get("values", {}).get("effect", 0.0))
    alarm = any(isinstance(test, dict) and test.get("alarm") for test in feature.values())
    return alarm, (feature["importance"] or 0.0) * effect, effect


def _row(name: str, feature: dict[str, Any]) -> str:
    values = feature.get("values")
    rates = {kind: _rates(*feature["rates"][kind]) for kind in ("missing", "invalid")}
    beyond = "" if feature["beyond"] is None else f"{sum(feature['beyond']):.1%}"
    constant = feature.get("constant", {}).get("alarm", False)
    change = f"{values['effect']:.2f}{', one value' if constant else ''}" if values else ""
    psi = feature["psi"] and f"{feature['psi']['value']:.2f} ({feature['psi']['limit']:.2f})"
    cells = [
        "" if feature["importance"] is None else f"{feature['importance']:.2g}",
        _toned(change, _alarms(feature, "values") or constant),
        f"{values['p_adjusted']:.2g}" if values else "",
        psi or "",
        _toned(rates["missing"], _alarms(feature, "missing")),
        _toned(rates["invalid"], _alarms(feature, "invalid")),
        beyond,
    ]
    text = "".join(f'<td data-l="{label}">{cell}</td>' for label, cell in zip(COLUMNS[1:-1], cells, strict=True))
    picture = f'<td class="wide">{histogram(feature["histogram"])}</td>'
    return f"<tr><td>{_toned(escape(name), _rank(feature)[0])}</td>{text}{picture}</tr>"


def _alarms(feature: dict[str, Any], kind: str) -> bool:
    return bool(feature.get(kind, {}).get("alarm", False))


def _toned(text: str, bad: bool) -> str:
    return f'<span class="alarm">{text}</span>' if bad else text


def _rates(before: float, now: float) -> str:
    return f"{before:.1%} → {now:.1%}" if before or now else "0"
