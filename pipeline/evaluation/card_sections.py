"""The sections of the model card about the test split: metrics, slices, importance and limits."""

from typing import Any, NamedTuple

from pipeline.evaluation.bootstrap import Interval
from pipeline.evaluation.markdown import interval, number, table
from pipeline.evaluation.permutation_importance import Importance
from pipeline.evaluation.slices import Slice

ROWS = 40  # of a table; a page is for reading, and the whole table is a file beside the plots
FEW = 10  # rows of a slice that are too few to call it weak

MEANING = {
    "rmse": "root mean squared error, in {unit}",
    "mae": "mean absolute error, in {unit}",
    "r2": "share of the variance that is explained",
    "mape": "mean absolute error as a share of the actual value",
    "bias": "mean of predicted minus actual, in {unit}",
    "cod": "spread of the ratios predicted / actual around their median, in percent of it",
    "prd": "above 1: high values are predicted too low in proportion; below 1: too high",
    "prb": "relative change of the ratio where the value doubles",
    "coverage": "share of actual values inside of the {promised:.0%} prediction interval",
    "interval_width": "mean width of that interval, in {unit}",
}


class Evaluation(NamedTuple):
    """The result on the test split: the `metrics` of metrics/evaluate.json, their `intervals`, the slices, and the
    importance of each feature."""

    metrics: dict[str, Any]
    intervals: dict[str, Interval]
    slices: list[Slice]
    importance: list[Importance]


def summary(metrics: dict[str, Any]) -> str:
    """Return the line for the terminal."""
    low, high = metrics["rmse_ci_low"], metrics["rmse_ci_high"]
    bounds = "" if low is None else f" [{low:.3f}, {high:.3f}]"
    return f"{metrics['family']}: rmse {metrics['rmse']:.3f}{bounds}"


def quality(judged: Evaluation, target: str, unit: str, level: float, promised: float) -> list[str]:
    """Return the table of metrics; `level` is that of their intervals, `promised` that of the prediction intervals."""
    metrics = judged.metrics
    rows = [
        [name, number(metrics[name]), interval(judged.intervals[name]), meaning.format(unit=unit, promised=promised)]
        for name, meaning in MEANING.items()
    ]
    undefined = [name for name in MEANING if metrics[name] is None]
    return [
        "## Quality on the test split",
        f"{metrics['n_test']} rows that took no part in any choice. Always saying the training median has an RMSE of "
        f"{number(metrics['baseline_rmse'])}. Intervals: {level:.0%}, by a bootstrap of rows; what differs by less "
        "than its interval is noise. Formulas: [metrics](../docs/metrics.md).",
        table(["metric", "value", f"{level:.0%} interval", "meaning"], rows),
        f"Not defined: {', '.join(undefined)}, for {target} or a prediction of it is 0 or less (or never varies), "
        "where a ratio means nothing."
        if undefined
        else "",
    ]


def slices(measured: list[Slice], target: str, level: float) -> list[str]:
    """Return the table of the ROWS largest slices, in their own order."""
    largest = sorted(measured, key=lambda s: -s.n)[:ROWS]
    shown = [s for s in measured if s in largest]
    left = len(measured) - len(shown)
    rows = [
        [s.feature, s.value, str(s.n), number(s.rmse), interval(s.interval), number(s.bias), f"{s.coverage:.0%}"]
        for s in shown
    ]
    return [
        "## Slices",
        f"Thirds of {target} and each value of a bool or category feature. A slice of few rows says little, and below "
        "some 30 its interval is too narrow. Of many slices one in twenty is off by chance. Low thirds of the target "
        "are predicted too high and high thirds too low by every model that is not perfect: that is regression to the "
        "mean, and a cause for concern only where it is large.",
        table(["feature", "value", "rows", "RMSE", f"{level:.0%} interval", "bias", "coverage"], rows),
        f"{left} smaller slices are in [slices.csv](../metrics/plots/slices.csv)." if left else "",
    ]


def importance(measured: list[Importance], unit: str) -> list[str]:
    """Return the table of the ROWS most important features, the largest increase first."""
    rows = [[i.feature, number(i.increase), number(i.spread)] for i in measured[:ROWS]]
    left = len(measured) - len(rows)
    return [
        "## Importance",
        f"How much RMSE grows (in {unit}) when one feature is shuffled among the test rows; the spread is the standard "
        "deviation over the shuffles. Of features that tell the same each looks unimportant; none of it is a cause.",
        table(["feature", "increase of RMSE", "spread"], rows),
        f"{left} less important features are in [importance.csv](../metrics/plots/importance.csv)." if left else "",
    ]


def limits(judged: Evaluation) -> list[str]:
    """Return the section on what the model and its evaluation cannot promise."""
    weakest = max((s for s in judged.slices if s.n >= FEW), key=lambda s: s.rmse, default=None)
    sentences = [
        "It knows only rows like those it was trained on; a value outside of a feature's bounds is refused.",
        "The prediction interval is an average promise: over all rows, not for each kind of row.",
        f"{judged.metrics['n_test']} test rows of the same source say nothing of other sources.",
    ]
    if weakest:
        sentences.append(f"Weakest slice of at least {FEW} rows: {weakest.name}, RMSE {number(weakest.rmse)}.")
    return ["## Limits", "\n".join(f"- {sentence}" for sentence in sentences)]
