"""Select: a blend of the families becomes the model, or the best family where no blend is better; with training rows
for explanations. A sample of the training rows becomes the reference. Nothing is fitted again.

Reads models/candidates, metrics/train, data/clean/train.parquet, data/schema.yaml, params; writes models/model.onnx,
models/reference.parquet, metrics/select.json. The test split is never read.
"""

from typing import Any

import pandas as pd

from pipeline.contract import errors, leak, paths
from pipeline.contract.number_text import figure
from pipeline.contract.onnx_model import Model
from pipeline.contract.params import Select, Train
from pipeline.contract.params import load as load_params
from pipeline.contract.schema import load as load_schema
from pipeline.tables import atomic_files, parquet, sampling, splitting
from pipeline.training import onnx_blend, onnx_export, selection
from pipeline.training.onnx_export import Served
from pipeline.training.selection import Metrics, Selection

COMPARABLES = 2_000  # rows of the training sample that may be in the model file with their target
BLEND_ROWS = 100_000  # training rows that a blend and its interval are learned from, at most


def serve(selected: Selection, metrics: Metrics, sample: pd.DataFrame, limits: Select) -> Served:
    """Return the model file of the selected family, or one file of a blend's members."""
    members = {
        family: Served((paths.CANDIDATES / f"{family}.onnx").read_bytes(), metrics[family]["onnx_max_abs_diff"])
        for family in selected.weights
    }
    model = onnx_blend.blended_form(members, selected, sample, limits) if selected.half else members[selected.family]
    return model._replace(content=with_rows(model.content, sample, limits))


def with_rows(content: bytes, sample: pd.DataFrame, limits: Select) -> bytes:
    """Return the model file with rows of the training sample: `background_rows` of them, and perhaps comparables."""
    background = sample.iloc[sampling.sample(sample["row"], limits.background_rows)]
    comparables = sample.iloc[sampling.sample(sample["row"], COMPARABLES)] if limits.comparables else None
    return onnx_export.with_rows(content, background, comparables)


def drop_stale(families: list[str]) -> None:
    """Delete the candidates and metrics of families that params.yaml no longer names."""
    for folder in (paths.CANDIDATES, paths.TRAIN_METRICS):
        for path in sorted(folder.glob("*.*")):
            if path.name.split(".")[0] not in families and path.name != ".gitignore":
                print(f"removing {path}: its family is not in params.yaml")
                atomic_files.remove(path)


def read_metrics(families: list[str]) -> Metrics:
    """Read the metrics of the families that could be trained; say why the others were skipped."""
    metrics = {family: atomic_files.read_json(paths.TRAIN_METRICS / f"{family}.json") for family in families}
    for family, found in metrics.items():
        if reason := found.get("skipped"):
            print(f"{family} is skipped: {reason}")
    return {family: found for family, found in metrics.items() if "skipped" not in found}


def read_sample(families: list[str], limits: Select) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the sample of the training rows that all samples here are part of, and its out-of-fold predictions [rows,
    families]."""
    size = max(BLEND_ROWS, COMPARABLES, limits.reference_rows, limits.background_rows)
    numbers = sampling.sample_numbers(paths.TRAIN, size)
    training = parquet.read(paths.TRAIN, numbers=numbers)
    files = {family: paths.CANDIDATES / f"{family}.oof.parquet" for family in families}
    found = {family: parquet.read(file, ["row", "prediction"], numbers) for family, file in files.items()}
    columns = {family: each.set_index("row")["prediction"].reindex(training["row"]) for family, each in found.items()}
    return training, pd.DataFrame(columns).reset_index(drop=True)


def report(selected: Selection, metrics: Metrics) -> None:
    """Print the families, the best first, with their weights in the model; and whether a feature seems to be made from
    the target."""
    errors_of = {family: (each["cv_rmse"], each["cv_rmse_se"]) for family, each in metrics.items()}
    errors_of[selected.family] = (selected.cv_rmse, selected.cv_rmse_se)
    for family, (cv_rmse, error) in sorted(errors_of.items(), key=lambda item: item[1]):
        weight = f"weight {selected.weights[family]:.3f}" if family in selected.weights else " " * 12
        mark = "<- selected" if family == selected.family else ""
        print(f"{family:>16}  cv_rmse {figure(cv_rmse)} +- {figure(error, 3)}  {weight} {mark}".rstrip())
    if asked := leak.question(Model.load(paths.MODEL).description.training):
        print(f"{selected.family}: {asked}")


def figures(selected: Selection, max_abs_diff: float) -> dict[str, Any]:
    """Return the metrics of the selected model."""
    cv = {"cv_rmse": selected.cv_rmse, "cv_rmse_se": selected.cv_rmse_se}
    return {"family": selected.family, **cv, "onnx_max_abs_diff": max_abs_diff, "weights": selected.weights}


def main() -> None:
    train, limits, schema = load_params(Train), load_params(Select), load_schema()
    drop_stale(list(train.families))
    metrics = read_metrics(list(train.families))
    training, out_of_fold = read_sample(list(metrics), limits)

    target, splits = training[schema.target.name].to_numpy(float), splitting.splits(training["fold"].to_numpy(), schema)
    selected = selection.choose(metrics, limits.rule, out_of_fold, target, splits, train.interval_level)
    sample = training.assign(prediction=selected.out_of_fold, residual=target - selected.out_of_fold)
    model = serve(selected, metrics, sample, limits)

    atomic_files.write_bytes(paths.MODEL, model.content)
    # Features that `features.exclude` leaves out are kept: drift reports their shifts, too.
    parquet.write(sampling.reference(sample, schema, limits.reference_rows), paths.REFERENCE)
    atomic_files.write_json(paths.SELECT_METRICS, figures(selected, model.max_abs_diff))
    report(selected, metrics)


if __name__ == "__main__":
    errors.run_command(main)
