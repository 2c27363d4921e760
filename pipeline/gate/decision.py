"""The decision on two models' predictions of the same rows: the checks and the verdict that they add up to."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import numpy as np

from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Gate
from pipeline.evaluation import metrics
from pipeline.gate import checks, out_of_fold, paired_test
from pipeline.gate.checks import Check
from pipeline.gate.out_of_fold import OutOfFold
from pipeline.gate.paired_test import Comparison

Verdict = Literal["promote", "keep", "inconclusive"]
EXIT_CODES: Mapping[Verdict, int] = {"promote": 0, "keep": 3, "inconclusive": 4}


class Decision(NamedTuple):
    """A verdict with its reasons.

    RMSEs are in the target's unit, on the `n` test rows; `rmse_current` is None for a first model. `evidence` has the
    comparison on each kind of rows by its name, the decisive one last; it is empty for a first model. `earlier` counts
    the other models that the same rows judged before. `notes` are further sentences for a reader; `hashes` name the
    files and rows that were judged, where there are files; `looks` has the md5s of the models of `earlier`, oldest
    first; `metrics_diff` is the Markdown table of `dvc metrics diff`.
    """

    verdict: Verdict
    rmse_new: float
    rmse_current: float | None
    evidence: Mapping[str, Comparison]
    earlier: int
    n: int
    policy: str
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()
    hashes: Mapping[str, str | None] = {}
    looks: tuple[str, ...] = ()
    metrics_diff: str = ""

    @property
    def comparison(self) -> Comparison | None:
        """The comparison that decides; None for a first model."""
        return list(self.evidence.values())[-1] if self.evidence else None


def decide(
    champion: np.ndarray | None,
    challenger: np.ndarray,
    actual: np.ndarray,
    params: Gate,
    *,
    refitted: OutOfFold | None = None,
    earlier: int = 0,
    median: float | None = None,
    recent: np.ndarray | None = None,
    further: Iterable[Check] = (),
) -> Decision:
    """Compare two models' predictions [rows] of the same actual values; `champion` is None for a first model.

    `refitted`: errors on further rows, out of fold. `earlier` counts the other models that these rows judged before.
    `median` is the constant to beat, by default that of the actual values. `recent` [rows] marks the most recent rows;
    it is None where no time is known. `further` are checks that need more than predictions. The verdict is `promote`
    where all checks pass, `keep` where one fails for certain (also by a prediction that is not a number), else
    `inconclusive`.
    Raises PipelineError where the arrays are not of one length.
    """
    shapes = [array.shape for array in (actual, challenger, champion) if array is not None]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1 or not len(actual):
        raise PipelineError(f"expected actual values and predictions of the same rows, [rows] each, found {shapes}")
    new, current = metrics.rmse(actual, challenger), None if champion is None else metrics.rmse(actual, champion)
    constant = metrics.rmse(actual, np.full(len(actual), np.median(actual) if median is None else median))
    made = [checks.skill(new, constant, params), *checks.max_rmse(new, params)]
    evidence: dict[str, Comparison] = {}
    if champion is not None:
        squared = np.square(np.column_stack([champion, challenger]) - actual[:, None])
        alpha = paired_test.spent(params.alpha, earlier)
        evidence = _compare(squared, refitted, alpha, params)
        *_, (rows, decisive) = evidence.items()
        if params.policy == "probably_better":
            made.append(checks.probably_better(decisive, params, rows))
        elif params.policy == "superior" or recent is None:
            made.append(checks.superior(decisive, params, rows))
        else:
            latest = paired_test.compare(squared[recent], alpha, params.samples, params.seed)
            half = "the most recent half of the test rows"
            made += [checks.non_inferior(decisive, params, rows), checks.superior(latest, params, half, recent=True)]
    made += further
    passed = [check.passed for check in made]
    verdict: Verdict = "keep" if False in passed else "inconclusive" if None in passed else "promote"
    return Decision(verdict, new, current, evidence, earlier, len(actual), params.policy, tuple(made))


def _compare(squared: np.ndarray, refitted: OutOfFold | None, alpha: float, params: Gate) -> dict[str, Comparison]:
    """Compare on the test rows, `squared` [rows, 2], and with `refitted` on those rows, and on both together."""
    settings = (alpha, params.samples, params.seed)
    evidence = {"test rows": paired_test.compare(squared, *settings)}
    if refitted is not None:
        luck, allowed = out_of_fold.allowance(refitted), out_of_fold.allowed(refitted)
        found = paired_test.compare(allowed, *settings, out_of_fold.WIDENING)
        evidence["out of fold"] = _beyond(found, luck)
        width = out_of_fold.widening(len(squared), len(allowed))
        found = paired_test.compare(np.concatenate([squared, allowed]), *settings, width)
        evidence["all rows"] = _beyond(found, luck * len(allowed) / found.n)
    return evidence


def _beyond(found: Comparison, allowance: float) -> Comparison:
    """Return the comparison with the smallest visible improvement made larger by an allowance, a log ratio."""
    return found._replace(detectable=found.detectable and float(np.expm1(np.log1p(found.detectable) - allowance)))
