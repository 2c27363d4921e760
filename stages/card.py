"""The model card: what a reader needs to judge the model, in Markdown."""

from typing import Any

from stages.onnx_file import Description


def render(about: Description, metrics: dict[str, Any], level: float) -> str:
    """The page for one model and its metrics on the test split (`level`: of the interval of RMSE)."""
    schema, training, target = about.schema, about.training, about.schema.target
    unit = target.unit or "the target's unit"
    return "\n".join(
        [
            f"# Model card: {about.family} for {target.name}",
            "",
            f"Predicts {target.name} ({target.description or 'no description'}; {unit}) "
            f"from {len(about.features)} features.",
            "",
            "## Data",
            "",
            f"- Origin: {schema.source.origin}",
            f"- Licence: {schema.source.licence}",
            *(f"- {note}" for note in schema.source.notes),
            f"- Trained on {training.rows} rows (sha256 of the training table: `{training.sha256}`).",
            "",
            "## Quality on the test split",
            "",
            f"{metrics['n_test']} rows that took no part in any choice. RMSE {metrics['rmse']:.3f}, "
            f"{level:.0%} interval {metrics['rmse_ci_low']:.3f} to {metrics['rmse_ci_high']:.3f} "
            "(bootstrap of rows). Always saying the training median has an RMSE of "
            f"{metrics['baseline_rmse']:.3f}. A difference smaller than the interval is noise.",
            "",
            "| metric | value |",
            "|---|---|",
            *(f"| {name} | {_cell(value)} |" for name, value in metrics.items()),
            "",
            *_reasons(metrics, target.name),
            f"Intervals: {about.interval.level:.0%} by {about.interval.method}; found on the test split: "
            f"{metrics['coverage']:.1%} inside, mean width {metrics['interval_width']:.2f}.",
            "",
            "## Model",
            "",
            f"- Family {about.family}, settings {about.settings or 'none'}, chosen by cross-validation "
            f"(RMSE {training.cv_rmse:.3f}).",
            "- Missing features are replaced by values learned from the training rows: "
            + ", ".join(f"{name} {value:g}" for name, value in about.imputed.items())
            + ".",
            "",
            "## Limits",
            "",
            "- It knows only rows like those it was trained on; a value outside of a feature's bounds is refused.",
            "- The interval is an average promise: over all rows, not for each kind of row.",
            "",
        ]
    )


def _cell(value: Any) -> str:
    return "not defined" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def _reasons(metrics: dict[str, Any], target: str) -> list[str]:
    undefined = [name for name, value in metrics.items() if value is None]
    if not undefined:
        return []
    return [
        f"Not defined: {', '.join(undefined)}, for {target} or a prediction of it is 0 or less (or never varies), "
        "where a ratio means nothing.",
        "",
    ]
