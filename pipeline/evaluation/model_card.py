"""The model card: what a reader needs to judge the model, in Markdown (after Mitchell et al. 2019, Model Cards).

The text is in model_card.jinja.
"""

from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from pipeline.contract import leak, number_text
from pipeline.contract.column import Column
from pipeline.contract.columns import matrix_columns
from pipeline.contract.description import Description
from pipeline.contract.wording import counted
from pipeline.evaluation import markdown, metrics
from pipeline.evaluation.bootstrap import Interval
from pipeline.evaluation.permutation_importance import Importance
from pipeline.evaluation.slices import Slice

ROWS = 40  # of a table; a page is for reading, and the whole table is a file beside the plots
FEW = 10  # rows of a slice that are too few to call it weak

TEMPLATES = jinja2.Environment(  # noqa: S701 - Markdown needs no escapes of HTML
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
TEMPLATES.filters |= {
    "cell": markdown.cell,
    "number": number_text.figure,
    "counted": counted,
    "interval": markdown.interval,
    "percent": lambda share: number_text.share(share, 0),
}


class Evaluation(NamedTuple):
    """The result on the test split: the `metrics` of metrics/evaluate.json, their `intervals`, the slices, and the
    importance of each feature."""

    metrics: dict[str, Any]
    intervals: dict[str, Interval]
    slices: list[Slice]
    importance: list[Importance]


def render(about: Description, judged: Evaluation, level: float) -> str:
    """Return the page for one model and its evaluation; `level` is that of the intervals of the metrics."""
    schema, target = about.schema, about.schema.target
    largest = sorted(judged.slices, key=lambda s: -s.n)[:ROWS]
    return TEMPLATES.get_template("model_card.jinja").render(
        about=about,
        target=target,
        unit=target.unit or "the target's unit",
        notes=[*schema.source.notes, *(f"{c.name} is left out." for c in schema.with_role("ignore"))],
        allowed=_allowed,
        imputed=_imputed,
        metrics=judged.metrics,
        intervals=judged.intervals,
        level=level,
        undefined=[name for name in judged.intervals if judged.metrics[name] is None],
        slices=[s for s in judged.slices if s in largest],
        more_slices=len(judged.slices) - len(largest),
        importance=judged.importance[:ROWS],
        more_features=len(judged.importance[ROWS:]),
        settings=_settings,
        weakest=max((s for s in judged.slices if s.n >= FEW), key=lambda s: s.rmse, default=None),
        few=FEW,
        doubts=_doubts(about, judged),
    )


def _doubts(about: Description, judged: Evaluation) -> list[str]:
    """Return what makes the model worthless: no better than a constant, or too good to be true."""
    rmse, constant = judged.metrics["rmse"], judged.metrics["baseline_rmse"]
    worse = metrics.against_median(rmse, constant) if rmse >= constant else ""
    return [doubt for doubt in (worse, leak.question(about.training)) if doubt]


def _allowed(column: Column) -> str:
    if column.dtype == "bool":
        return "true, false"
    if column.dtype == "category":
        return ", ".join(column.categories)
    if column.dtype == "datetime":
        return f"a date or time, of which the model sees {', '.join(column.seen_parts)}"
    low, high = ("" if bound is None else number_text.plain(bound) for bound in (column.min, column.max))
    return f"{low} to {high}".strip() if low or high else "any"


def _settings(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items()) or "none"


def _imputed(about: Description, column: Column) -> str:
    if column.dtype == "datetime":
        values = {each.part: about.imputed[each.name] for each in matrix_columns((column,))}
        return ", ".join(f"{part} {number_text.figure(value, 6)}" for part, value in values.items())
    value = about.imputed.get(column.name)
    if value is None:
        return ""
    if column.dtype == "category":
        return column.categories[int(value)]
    return str(bool(value)).lower() if column.dtype == "bool" else number_text.plain(value)
