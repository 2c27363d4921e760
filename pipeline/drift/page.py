"""The drift report as one page of HTML: no script, nothing from elsewhere, the same size for any number of rows."""

from html import escape
from pathlib import Path
from typing import Any

from pipeline.drift import page_table
from pipeline.drift.page_charts import interval, timeline

SHOWN = 40  # findings
HOW = {
    "insufficient": "Too few live rows to say anything.",
    "none": "Nothing moved beyond chance.",
    "data_quality": "Missing, unusable or stuck values: look at where the rows come from.",
    "shifted": "The live rows are others than those of training; the errors are not known to suffer.",
    "risk": "The model errs more, or is expected to.",
}
STYLE = Path(__file__).with_suffix(".css")
TONES = {"none": "--good", "insufficient": "--soft", "data_quality": "--warn", "shifted": "--warn", "risk": "--bad"}


def render(report: dict[str, Any]) -> str:
    """A whole page from the report of `stages.drift.compare`."""
    body = [_verdict(report)]
    if report["verdict"] != "insufficient":
        body += [_findings(report), _losses(report), _timeline(report), page_table.render(report)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Drift: {report['verdict']}</title><style>{STYLE.read_text(encoding='utf-8')}</style></head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body></html>\n"
    )


def _verdict(report: dict[str, Any]) -> str:
    word = report["verdict"]
    began = (
        f" It began between {report['began']['first']} and {report['began']['last']}." if report.get("began") else ""
    )
    asks = "A retrain is asked for." if report["retrain"] else "No retrain is asked for."
    untimed = f" {report['n_untimed']:,} live rows have no time and are not judged." if report["n_untimed"] else ""
    return (
        f'<header class="verdict" style="--tone:var({TONES[word]})"><h1>Drift: <b>{word.replace("_", " ")}</b></h1>'
        f"<p>{escape(_sentence(report['summary']))}{escape(began)}</p>"
        f'<p class="soft">{HOW[word]} {asks} {report["n_live"]:,} live rows against {report["n_reference"]:,} of the '
        f"reference.{untimed}</p></header>"
    )


def _findings(report: dict[str, Any]) -> str:
    found = report["findings"]
    if len(found) < 2:
        return ""
    items = "".join(f"<li>{escape(_sentence(text))}</li>" for text in found[:SHOWN])
    more = f'<p class="soft">And {len(found) - SHOWN} more.</p>' if len(found) > SHOWN else ""
    return f"<section><h2>What moved</h2><ol>{items}</ol>{more}</section>"


def _losses(report: dict[str, Any]) -> str:
    cards = [_expected(report.get("expected_loss")), _observed(report), _prediction(report), _joint(report)]
    return (
        f'<section><h2>The model, and how features go together</h2><div class="cards">{"".join(cards)}</div></section>'
    )


def _expected(loss: dict[str, Any] | None) -> str:
    if loss is None:
        return _card(
            "Expected error", "not known", "The reference has no residuals, or the model uses none of these columns."
        )
    beyond = f"{loss['beyond']:.0%} of the live rows lie beyond the reference, where this says nothing."
    if "ratio" not in loss:
        few = (
            f"The live rows are too unlike the reference ({loss['effective_rows']:.0f} effective rows) to say. {beyond}"
        )
        return _card("Expected error", "cannot be said", few)
    said = (
        f"RMSE {loss['rmse_expected']:.3g} for the live mix, {loss['rmse_reference']:.3g} for the reference; ratio "
        f"{loss['low']:.2f} to {loss['high']:.2f} (95 %), from {loss['effective_rows']:.0f} effective rows. {beyond}"
    )
    return _card("Expected error", f"× {loss['ratio']:.2f}", said, interval(loss["low"], loss["ratio"], loss["high"]))


def _observed(report: dict[str, Any]) -> str:
    test = report.get("performance")
    if test is None:
        return _card("Observed error", "not known", "Too few live rows have feedback and a prediction.")
    said = (
        f"RMSE {test['live']:.3g} of {test['rows']:,.0f} rows with feedback, {test['reference']:.3g} in the reference. "
    )
    return _card("Observed error", f"× {1 + test['effect']:.2f}", said + _p(test), alarm=test["alarm"])


def _prediction(report: dict[str, Any]) -> str:
    test = report.get("prediction")
    if test is None:
        return _card("Predictions", "not known", "There is no prediction on one of the sides.")
    said = f"Mean {test['live']:.4g}, in the reference {test['reference']:.4g}. "
    return _card("Predictions", f"KS {test['effect']:.2f}", said + _p(test), alarm=test["alarm"])


def _joint(report: dict[str, Any]) -> str:
    test = report.get("joint")
    if test is None:
        return _card("Features together", "not tested", "That takes two features.")
    said = (
        f"{test['subject']}: rank correlation {test['reference']:.2f} in the reference, {test['live']:.2f} live, the "
        f"largest change of all pairs. {_p(test)}"
    )
    return _card("Features together", f"{test['effect']:+.2f}", said, alarm=test["alarm"])


def _card(title: str, figure: str, text: str, picture: str = "", alarm: bool = False) -> str:
    tone = " alarm" if alarm else ""
    return (
        f'<div class="card"><h3>{title}</h3><div class="big{tone}">{escape(figure)}{" alarm" if alarm else ""}</div>'
        f'{picture}<p class="soft">{escape(text)}</p></div>'
    )


def _timeline(report: dict[str, Any]) -> str:
    if not report["timeline"]:
        return ""
    return (
        f"<section><h2>Over time</h2>{timeline(report['timeline'])}"
        '<p class="soft">A bar is a block of rows, its height the largest change of a feature in it (KS distance or '
        "Cramer's V); in red where the block alarms, for this or another reason. Each block may spend its share of "
        "alpha, however often this runs.</p>"
        "</section>"
    )


def _p(test: dict[str, Any]) -> str:
    return f"p {test['p_adjusted']:.2g}; alarms from an effect of {test['floor']:.2g} on."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
