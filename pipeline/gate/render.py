"""The forms of a decision: for a terminal, a pull request, as JSON, and as a line of the history."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.contract.number_text import change, figure, plain, share
from pipeline.contract.wording import counted
from pipeline.evaluation import markdown
from pipeline.gate.decision import Decision
from pipeline.gate.paired_test import POWER, Comparison

NAMED = 5  # models, at most, that judged rows are said to have met
_WORDS = {True: "pass", False: "fail", None: "open"}


def first_line(decision: Decision) -> str:
    current = "none" if decision.rmse_current is None else figure(decision.rmse_current, 3)
    return f"RMSE new: {figure(decision.rmse_new, 3)} | current: {current} | {decision.verdict}"


def text(decision: Decision) -> str:
    """Return the first line, the reason, every check, and the evidence with what it could have shown."""
    width = max(len(check.name) for check in decision.checks)
    checks = [f"  {_WORDS[check.passed]}  {check.name:{width}}  {check.detail}" for check in decision.checks]
    widths = [max(map(len, column)) for column in zip(*evidence(decision), strict=True)]
    table = ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in evidence(decision)]
    return "\n".join([first_line(decision), reason(decision), *checks, *table, *remarks(decision)])


def as_markdown(decision: Decision) -> str:
    """Return the first line, the reason, tables of the checks and of the evidence, the remarks, and the folded table of
    the metrics."""
    rows = [[check.name, _WORDS[check.passed], check.detail] for check in decision.checks]
    table = markdown.table(["check", "", "found"], rows)
    head, *compared = evidence(decision) or [[]]
    shown = markdown.table(head, compared) if compared else ""
    remarked = "\n".join(f"- {line}" for line in remarks(decision))
    parts = [f"**{first_line(decision)}**", reason(decision), table, shown, remarked]
    if decision.metrics_diff:
        summary = "<details><summary>Recorded metrics: <code>dvc metrics diff</code></summary>"
        parts += [summary, decision.metrics_diff, "</details>"]
    return "\n\n".join(filter(None, parts))


def evidence(decision: Decision) -> list[list[str]]:
    """Return a head, and for each kind of rows their number, the change of RMSE with its interval, and the smallest
    improvement that they would have shown with POWER; the last line decides. Empty for a first model."""
    if not decision.evidence:
        return []
    *_, decisive = decision.evidence.values()
    level = f"{plain(100 * (1 - 2 * decisive.alpha), 4)}% interval"
    head = ["evidence", "rows", "change of RMSE", level, f"visible, with {POWER:.0%} power"]
    return [head, *([name, str(found.n), *_compared(found)] for name, found in decision.evidence.items())]


def _compared(found: Comparison) -> list[str]:
    visible = "nothing" if found.detectable is None else f"{share(-found.detectable)} lower RMSE"
    if found.same:
        return ["the same errors", "", visible]
    if not np.isfinite([found.change, found.high]).all():
        return ["unknown", "", visible]
    return [change(found.change), f"{change(found.low)} to {change(found.high)}", visible]


def as_json(decision: Decision) -> dict[str, Any]:
    """Return all of it; what is not a finite number is null, for JSON has no other word."""
    found = decision.comparison
    content = {
        **decision.hashes,
        "looks": list(decision.looks),
        "verdict": decision.verdict,
        "reason": reason(decision),
        "rmse_new": decision.rmse_new,
        "rmse_current": decision.rmse_current,
        "change": found and found.change,
        "change_low": found and found.low,
        "change_high": found and found.high,
        "alpha": found and found.alpha,
        "detectable": found and found.detectable,
        "confidence": found and found.confidence,
        "evidence": {name: each._asdict() for name, each in decision.evidence.items()},
        "earlier": decision.earlier,
        "n": decision.n,
        "policy": decision.policy,
        "checks": [check._asdict() for check in decision.checks],
        "notes": list(decision.notes),
    }
    return {name: _finite(value) for name, value in content.items()}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def entry(decision: Decision) -> dict[str, Any]:
    """Return the line of the history: `checks` by name, true, false, or null where the rows cannot tell."""
    return as_json(decision) | {"checks": {check.name: check.passed for check in decision.checks}}


def reason(decision: Decision) -> str:
    failed, undecided = (
        ", ".join(check.name for check in decision.checks if check.passed is passed) for passed in (False, None)
    )
    kept = "There is still no champion" if decision.comparison is None else "The champion stays"
    if failed:
        worse = decision.comparison is not None and decision.comparison.low > 0
        return f"{kept}: {failed} failed{'; the new model is worse beyond doubt' if worse else ''}."
    if undecided:
        n = decision.comparison.n if decision.comparison else decision.n
        kind = "row" if len(decision.evidence) > 1 else "test row"
        rows = f"{counted(n, kind)} {'is' if n == 1 else 'are'}"
        return f"{kept}: {rows} too few to decide {undecided}."
    return "All checks pass." if decision.comparison else "All checks pass, and there is no champion yet."


def remarks(decision: Decision) -> Iterator[str]:
    """Yield how sharp the test was, then the notes."""
    if found := decision.comparison:
        names = [md5[:8] for md5 in decision.looks]
        named = f" ({', '.join(names[-NAMED:])}{', and older ones' if len(names) > NAMED else ''})" if names else ""
        models = f"{counted(decision.earlier, 'other model')} before{named}"
        yield f"These rows have judged {models}: tested at alpha {figure(found.alpha, 2)}, one-sided."
    yield from decision.notes
