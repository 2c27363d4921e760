"""The gate: may the model of this workspace replace the champion?

    python -m stages.gate --champion HEAD

Scores both, row by row, on today's test split. Exits 0 promote, 3 keep the champion, 4 inconclusive (the champion
stays), 1 could not decide. Each verdict is a line in metrics/history.jsonl.
"""

import argparse
import json
from collections.abc import Iterable, Iterator

import msgspec
import numpy as np

from stages import errors, files, params, registry, scores
from stages.errors import PipelineError
from stages.evaluation import slices
from stages.params import Gate
from stages.promotion import accepts, compare, contest, crossval, history, statement, verdict
from stages.promotion.contest import Contest
from stages.promotion.verdict import Check, Decision

EXIT_CODES = {"promote": 0, "keep": 3, "inconclusive": 4}


def decide(
    champion: np.ndarray | None,
    challenger: np.ndarray,
    actual: np.ndarray,
    params: Gate,
    *,
    earlier: int = 0,
    median: float | None = None,
    recent: np.ndarray | None = None,
    further: Iterable[Check] = (),
) -> Decision:
    """Compare two models' predictions [rows] of the same actual values; `champion` is None for a first model.

    `earlier`: other models that these rows judged before. `median`: the constant to beat, that of the actual values
    where it is not given. `recent`: the mask of the most recent rows, None where no time is known. `further`: checks
    that predictions alone cannot give. What is not a number fails its check.
    Raises PipelineError where the arrays are not of one length.
    """
    shapes = [array.shape for array in (actual, challenger, champion) if array is not None]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1 or not len(actual):
        raise PipelineError(f"expected actual values and predictions of the same rows, [rows] each, found {shapes}")
    new, current = scores.rmse(actual, challenger), None if champion is None else scores.rmse(actual, champion)
    constant = scores.rmse(actual, np.full(len(actual), np.median(actual) if median is None else median))
    checks = [verdict.skill(new, constant, params), *verdict.max_rmse(new, params)]
    found = None
    if champion is not None:
        squared = np.square(np.column_stack([champion, challenger]) - actual[:, None])
        alpha = compare.spent(params.alpha, earlier)
        found = compare.compare(squared, alpha, params.samples, params.seed)
        if params.policy == "superior" or recent is None:
            checks.append(verdict.superior(found, params))
        else:
            latest = compare.compare(squared[recent], alpha, params.samples, params.seed)
            checks += [verdict.non_inferior(found, params), verdict.superior(latest, params, recent=True)]
    checks += further
    return Decision(verdict.of(checks), new, current, found, earlier, len(actual), params.policy, tuple(checks))


def judge(revision: str, limits: Gate, contract_may_change: bool) -> tuple[Decision, dict[str, str | None]]:
    """The decision on the workspace's model against the champion of `revision`, and the hashes that it is about.

    Raises PipelineError where it cannot be decided: a file or a metric is missing or contradicts another.
    """
    held = contest.hold(revision)
    md5, split = files.digest(registry.MODEL, "md5"), files.digest(contest.TEST)
    decision = decide(
        held.current,
        held.new[:, 0],
        held.actual,
        limits,
        earlier=history.earlier(history.read(), split, md5),
        median=held.challenger.description.training.target_median,
        recent=contest.recent(held.table, held.challenger.description.schema),
        further=_checks_of_files(held, limits, contract_may_change),
    )
    hashes = {"challenger": md5, "champion": held.champion and held.champion.md5, "test": split}
    return decision._replace(notes=(*held.notes, *_notes(held, limits))), hashes


def _checks_of_files(held: Contest, limits: Gate, contract_may_change: bool) -> Iterator[Check]:
    """What predictions alone cannot say; the last two compare with a champion."""
    about = held.challenger.description
    yield verdict.coverage(held.actual, held.new[:, 1], held.new[:, 2], about.interval.level, limits)
    yield verdict.servable(registry.MODEL)
    if held.champion is not None and held.current is not None:
        squared = np.square(np.column_stack([held.current, held.new[:, 0]]) - held.actual[:, None])
        yield verdict.slices(slices.members(held.table, about.schema, held.actual), squared, limits)
        yield verdict.contract(
            accepts.narrower(held.champion.model.description.schema, about.schema), contract_may_change
        )


def _notes(held: Contest, limits: Gate) -> Iterator[str]:
    if held.champion is None:
        return
    ours = held.challenger.description
    if limits.policy == "non_inferior" and not ours.schema.with_role("time"):
        yield "The schema has no time column: nothing says which rows are recent, so all must be better."
    found = crossval.evidence(held.champion.model.description, ours)
    yield f"Repeated cross-validation, change of RMSE: {found}."


def main() -> int:
    arguments = _arguments()
    limits = params.load("gate")
    if arguments.policy:
        limits = msgspec.structs.replace(limits, policy=arguments.policy)
    decision, hashes = judge(arguments.champion, limits, arguments.allow_contract_change)
    history.append({**hashes, **statement.entry(decision)})
    if arguments.json:
        print(json.dumps(hashes | statement.as_json(decision), indent=2))
    else:
        print(statement.as_markdown(decision) if arguments.md else statement.text(decision))
    return EXIT_CODES[decision.verdict]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.gate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--champion", default="HEAD", metavar="REV", help="Git revision of the champion (default HEAD)")
    parser.add_argument("--policy", choices=["superior", "non_inferior"], help="in place of gate.policy")
    parser.add_argument("--allow-contract-change", action="store_true", help="refuse inputs that were accepted before")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--md", action="store_true", help="print Markdown")
    form.add_argument("--json", action="store_true", help="print the whole verdict as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    errors.run(main)
