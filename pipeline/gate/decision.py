"""The decision on two models' predictions of the same rows: the checks and the verdict that they add up to."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import numpy as np

from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Gate
from pipeline.evaluation import metrics
from pipeline.gate import checks, paired_test
from pipeline.gate.checks import Check
from pipeline.gate.paired_test import Comparison

Verdict = Literal["promote", "keep", "inconclusive"]
EXIT_CODES: Mapping[Verdict, int] = {"promote": 0, "keep": 3, "inconclusive": 4}


class Decision(NamedTuple):
    """A verdict with its reasons.

    RMSEs are in the target's unit; `rmse_current` and `comparison` are None for a first model. `earlier` counts the
    other models that the same rows judged before. `notes` are further sentences for a reader; `hashes` name the files
    and rows that were judged, where there are files, and the models of `earlier`; `metrics_diff` is the Markdown table
    of `dvc metrics diff`.
    """

    verdict: Verdict
    rmse_new: float
    rmse_current: float | None
    comparison: Comparison | None
    earlier: int
    n: int
    policy: str
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()
    hashes: Mapping[str, str | list[str] | None] = {}
    metrics_diff: str = ""


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

    `earlier` counts the other models that these rows judged before. `median` is the constant to beat, by default that
    of the actual values. `recent` [rows] marks the most recent rows; it is None where no time is known. `further` are
    checks that need more than predictions. The verdict is `promote` where all checks pass, `keep` where one fails for
    certain (also by a prediction that is not a number), else `inconclusive`.
    Raises PipelineError where the arrays are not of one length.
    """
    shapes = [array.shape for array in (actual, challenger, champion) if array is not None]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1 or not len(actual):
        raise PipelineError(f"expected actual values and predictions of the same rows, [rows] each, found {shapes}")
    new, current = metrics.rmse(actual, challenger), None if champion is None else metrics.rmse(actual, champion)
    constant = metrics.rmse(actual, np.full(len(actual), np.median(actual) if median is None else median))
    made = [checks.skill(new, constant, params), *checks.max_rmse(new, params)]
    comparison = None
    if champion is not None:
        squared = np.square(np.column_stack([champion, challenger]) - actual[:, None])
        alpha = paired_test.spent(params.alpha, earlier)
        comparison = paired_test.compare(squared, alpha, params.samples, params.seed)
        if params.policy == "superior" or recent is None:
            made.append(checks.superior(comparison, params))
        else:
            latest = paired_test.compare(squared[recent], alpha, params.samples, params.seed)
            made += [checks.non_inferior(comparison, params), checks.superior(latest, params, recent=True)]
    made += further
    passed = [check.passed for check in made]
    verdict: Verdict = "keep" if False in passed else "inconclusive" if None in passed else "promote"
    return Decision(verdict, new, current, comparison, earlier, len(actual), params.policy, tuple(made))
