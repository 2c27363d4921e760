"""The model card: what a reader needs to judge the model, in Markdown (after Mitchell et al. 2019, Model Cards)."""

from typing import Any

from pipeline.contract.onnx_model import Description
from pipeline.contract.schema import Column
from pipeline.evaluation import card_sections
from pipeline.evaluation.card_sections import Evaluation
from pipeline.evaluation.markdown import number, table


def render(about: Description, judged: Evaluation, level: float) -> str:
    """Return the page for one model and its evaluation; `level` is that of the intervals of the metrics."""
    target, training = about.schema.target, about.training
    unit = target.unit or "the target's unit"
    sections = [
        [
            f"# Model card: {about.family} for {target.name}",
            f"Predicts {target.name} ({target.description or 'no description'}; {unit}) "
            f"from {len(about.features)} features, with an interval that should hold {about.interval.level:.0%} of the "
            "actual values.",
        ],
        _data(about),
        _use(about),
        card_sections.quality(judged, target.name, unit, level, about.interval.level),
        card_sections.slices(judged.slices, target.name, level),
        card_sections.importance(judged.importance, unit),
        [
            "## Model",
            f"Family {about.family}, settings {_settings(about.settings)}, chosen by cross-validation inside the "
            f"training split: RMSE {number(training.cv_rmse)}. Intervals from {about.interval.method}.",
        ],
        card_sections.limits(judged),
    ]
    return "\n\n".join(part for section in sections for part in section if part) + "\n"


def _data(about: Description) -> list[str]:
    schema, training = about.schema, about.training
    rows = [[c.name, c.description, c.unit, _allowed(c), _imputed(about, c)] for c in about.columns]
    return [
        "## Data",
        f"Origin: {schema.source.origin}",
        f"Licence: {schema.source.licence}",
        f"Trained on {training.rows} rows (sha256 of the training table: `{training.sha256}`). The last column is what "
        "replaces a missing value, learned from those rows.",
        table(["feature", "meaning", "unit", "allowed", "if missing"], rows),
    ]


def _use(about: Description) -> list[str]:
    target = about.schema.target.name
    notes = [*about.schema.source.notes, *(f"{c.name} is left out." for c in about.schema.with_role("ignore"))]
    return [
        "## Intended use and misuse",
        f"For estimates of {target} for rows that come about as those of the data do, with the features inside of what "
        "the table above allows. Not for rows of another place, time or kind; not as a reason: what moves the "
        f"prediction need not move {target}; not to decide about people without someone who answers for it.",
        "What the owner of the data says of it:" if about.schema.source.notes else "",
        "\n".join(f"- {note}" for note in notes),
    ]


def _settings(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items()) or "none"


def _allowed(column: Column) -> str:
    if column.dtype == "bool":
        return "true, false"
    if column.dtype == "category":
        return ", ".join(column.categories)
    low, high = ("" if bound is None else f"{bound:g}" for bound in (column.min, column.max))
    return f"{low} to {high}".strip() if low or high else "any"


def _imputed(about: Description, column: Column) -> str:
    value = about.imputed.get(column.name)
    if value is None:
        return ""
    if column.dtype == "category":
        return column.categories[int(value)]
    return str(bool(value)).lower() if column.dtype == "bool" else f"{value:g}"
