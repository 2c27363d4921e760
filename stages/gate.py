"""The gate: may the model of this workspace replace the champion?

    python -m stages.gate --champion HEAD

Scores both, row by row, on today's test split. Exits 0 promote, 3 keep the champion, 4 inconclusive (the champion
stays), 1 could not decide. Each verdict is a line in metrics/history.jsonl.
"""

import argparse
import json
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from stages import errors, files, history, params, registry, scores, tables
from stages.errors import PipelineError
from stages.matrix import to_matrix
from stages.onnx_file import Model
from stages.params import Gate

EXIT_CODES = {"promote": 0, "keep": 3, "inconclusive": 4}
RECORDED = Path("metrics/evaluate.json")


class Decision(NamedTuple):
    """RMSEs in the target's unit; `change` is new / current - 1 with its two-sided interval, `skill` 1 - new / (RMSE
    of the best constant). What a first model has no champion for is None."""

    verdict: Literal["promote", "keep", "inconclusive"]
    reason: str
    rmse_new: float
    rmse_current: float | None
    change: float | None
    change_low: float | None
    change_high: float | None
    skill: float
    n: int


def decide(champion: np.ndarray | None, challenger: np.ndarray, actual: np.ndarray, params: Gate) -> Decision:
    """Compare two models' predictions [rows] of the same actual values; `champion` is None for a first model.

    Promotes when the whole two-sided 1 - alpha interval of the change of RMSE (a seeded, paired bootstrap of rows,
    percentile method: Efron and Tibshirani 1993, chapter 13) lies below -min_improvement, and the challenger beats
    the best constant (the actual values' median) by `min_skill`. Keeps when it is worse beyond doubt, when there is
    no difference, or when a number is missing.
    """
    n = len(actual)
    new = scores.rmse(actual, challenger)
    constant = scores.rmse(actual, np.full_like(actual, np.median(actual)))
    skill = 1 - new / constant if constant > 0 else 0.0
    current = None if champion is None else scores.rmse(actual, champion)
    low = high = change = None
    verdict: Literal["promote", "keep", "inconclusive"]
    if not np.isfinite(new) or (current is not None and not np.isfinite(current)):
        raise PipelineError("a prediction on the test split is not a number: train the model again")
    if champion is not None and current is not None and current > 0:
        change = new / current - 1
        squared = np.square(np.column_stack([challenger, champion]) - actual[:, None])
        resampled = scores.resampled_rmse(squared, params.bootstrap_samples, params.seed)
        changes = resampled[:, 0] / resampled[:, 1] - 1
        low, high = (float(q) for q in np.quantile(changes, [params.alpha / 2, 1 - params.alpha / 2]))
    if skill < params.min_skill:
        verdict = "keep"
        reason = f"RMSE is {skill:.1%} below that of always saying the median; gate.min_skill is {params.min_skill:.1%}"
    elif champion is None:
        verdict, reason = "promote", "there is no champion yet"
    elif change is None or low is None or high is None or low == high == 0:
        verdict, reason = "keep", "there is no difference that could be an improvement"
    elif high < -params.min_improvement:
        verdict, reason = "promote", "the whole interval is an improvement"
    elif low > 0:
        verdict, reason = "keep", "the whole interval is worse"
    else:
        verdict, reason = "inconclusive", f"{n} test rows cannot tell the two apart; the champion stays"
    return Decision(verdict, reason, new, current, change, low, high, float(skill), n)


def first_line(decision: Decision) -> str:
    current = "none" if decision.rmse_current is None else f"{decision.rmse_current:.2f}"
    return f"RMSE new: {decision.rmse_new:.2f} | current: {current} | {decision.verdict}"


def evidence(decision: Decision, alpha: float) -> list[str]:
    """One sentence a line, for people."""
    lines = [f"Because {decision.reason}."]
    if decision.change is not None:
        lines.append(
            f"Change of RMSE {decision.change:+.1%}, {1 - alpha:.0%} interval {decision.change_low:+.1%} to "
            f"{decision.change_high:+.1%}, on {decision.n} test rows."
        )
    return lines


def judge(revision: str, limits: Gate) -> tuple[Decision, str]:
    """The decision on the workspace's model against the champion of `revision`, and the model's md5.

    Raises PipelineError where it cannot be decided: a file or a metric is missing or contradicts another.
    """
    test = tables.read(Path("data/clean/test.parquet"))
    challenger = Model.load(registry.MODEL)
    challenger.verify()
    target = challenger.description.schema.target.name
    actual = test[target].to_numpy(float)
    predicted = challenger.predict(to_matrix(test, challenger.description.columns))[:, 0]
    recorded, rescored = files.read_json(RECORDED).get("rmse"), scores.rmse(actual, predicted)
    if not isinstance(recorded, float) or abs(recorded - rescored) > 1e-6 * rescored:
        raise PipelineError(
            f"{RECORDED} records rmse {recorded}, but {registry.MODEL} scores {rescored} on the test split: "
            "run `dvc repro` so that they belong together"
        )
    content = registry.champion_at(revision)
    if content is None:
        current = None
    else:
        champion = Model(content, f"{registry.CHAMPION} at {revision}")
        if champion.description.schema.target.name != target:
            raise PipelineError(
                f"the champion predicts {champion.description.schema.target.name}, the new model {target}: "
                "they cannot be compared; promote with FORCE=1 if that is meant"
            )
        current = champion.predict(to_matrix(test, champion.description.columns))[:, 0]
    return decide(current, predicted, actual, limits), files.digest(registry.MODEL, "md5")


def main() -> int:
    arguments = _arguments()
    limits = params.load("gate")
    decision, md5 = judge(arguments.champion, limits)
    history.append({"challenger": md5, "test": files.digest(Path("data/clean/test.parquet")), **decision._asdict()})
    if arguments.json:
        print(json.dumps(decision._asdict(), indent=2))
    elif arguments.md:
        print(f"**{first_line(decision)}**", *evidence(decision, limits.alpha), sep="\n\n")
    else:
        print(first_line(decision), *evidence(decision, limits.alpha), sep="\n")
    return EXIT_CODES[decision.verdict]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.gate", description=__doc__.splitlines()[0])
    parser.add_argument("--champion", default="HEAD", metavar="REV", help="Git revision of the champion (default HEAD)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--md", action="store_true", help="print Markdown")
    form.add_argument("--json", action="store_true", help="print the whole verdict as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    errors.run(main)
