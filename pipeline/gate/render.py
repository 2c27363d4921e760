"""The forms of a decision: for a terminal, a pull request, as JSON, and as a line of the history."""

import math
from collections.abc import Iterator
from typing import Any

from pipeline.contract.number_text import figure, share
from pipeline.contract.wording import counted
from pipeline.evaluation import markdown
from pipeline.gate.decision import Decision
from pipeline.gate.paired_test import POWER

_WORDS = {True: "pass", False: "fail", None: "open"}


def first_line(decision: Decision) -> str:
    current = "none" if decision.rmse_current is None else figure(decision.rmse_current, 3)
    return f"RMSE new: {figure(decision.rmse_new, 3)} | current: {current} | {decision.verdict}"


def text(decision: Decision) -> str:
    """Return the first line, the reason, every check, and what the rows could have shown."""
    width = max(len(check.name) for check in decision.checks)
    checks = [f"  {_WORDS[check.passed]}  {check.name:{width}}  {check.detail}" for check in decision.checks]
    return "\n".join([first_line(decision), reason(decision), *checks, *remarks(decision)])


def as_markdown(decision: Decision) -> str:
    """Return the first line, the reason, a table of the checks, the remarks, and the folded table of the metrics."""
    rows = [[check.name, _WORDS[check.passed], check.detail] for check in decision.checks]
    remarked = [f"- {line}" for line in remarks(decision)]
    table = markdown.table(["check", "", "found"], rows)
    parts = [f"**{first_line(decision)}**", reason(decision), table, "\n".join(remarked)]
    if decision.metrics_diff:
        head = "<details><summary>Recorded metrics: <code>dvc metrics diff</code></summary>"
        parts += [head, decision.metrics_diff, "</details>"]
    return "\n\n".join(filter(None, parts))


def as_json(decision: Decision) -> dict[str, Any]:
    """Return all of it; what is not a finite number is null, for JSON has no other word."""
    found = decision.comparison
    content = {
        **decision.hashes,
        "verdict": decision.verdict,
        "reason": reason(decision),
        "rmse_new": decision.rmse_new,
        "rmse_current": decision.rmse_current,
        "change": found and found.change,
        "change_low": found and found.low,
        "change_high": found and found.high,
        "alpha": found and found.alpha,
        "detectable": found and found.detectable,
        "earlier": decision.earlier,
        "n": decision.n,
        "policy": decision.policy,
        "checks": [check._asdict() for check in decision.checks],
        "notes": list(decision.notes),
    }
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in content.items()
    }


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
        rows = f"{counted(decision.n, 'test row')} {'is' if decision.n == 1 else 'are'}"
        return f"{kept}: {rows} too few to decide {undecided}."
    return "All checks pass." if decision.comparison else "All checks pass, and there is no champion yet."


def remarks(decision: Decision) -> Iterator[str]:
    """Yield how sharp the test was, and why, then the notes."""
    if found := decision.comparison:
        models = counted(decision.earlier, "other model")
        yield f"This test split has judged {models} before: tested at alpha {figure(found.alpha, 2)}, one-sided."
        if found.detectable is not None:
            yield (
                f"The smallest improvement that these {found.n} rows would have shown, with {POWER:.0%} power: "
                f"{share(-found.detectable)} lower RMSE."
            )
    yield from decision.notes
