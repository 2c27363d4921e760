"""Select: the family with the lowest cross-validated RMSE becomes the model; its training sample the reference.

Reads models/candidates, metrics/train, data/clean/train.parquet, data/schema.yaml, params; writes models/model.onnx,
models/reference.parquet, metrics/select.json. The test split is never read.
"""

import shutil
from typing import Any

import pandas as pd

from pipeline.contract import errors, leak, paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.number_text import figure
from pipeline.contract.onnx_model import Model
from pipeline.contract.params import Select, Train
from pipeline.contract.params import load as load_params
from pipeline.contract.schema import load as load_schema
from pipeline.tables import atomic_files, parquet, sampling


def pick(metrics: dict[str, dict[str, Any]], rule: str) -> str:
    """Return the family with the lowest `cv_rmse` (`min`), or the first within one standard error of it (`one_se`).

    params.yaml lists families from simple to complex. The one-standard-error rule is from Breiman, Friedman, Olshen and
    Stone (1984), Classification and Regression Trees, section 3.4.3. Raises PipelineError where there is no family.
    """
    if not metrics:
        raise PipelineError("params.yaml: train.families is empty: name at least one family")
    best = min(metrics, key=lambda family: metrics[family]["cv_rmse"])
    bound = metrics[best]["cv_rmse"] + metrics[best]["cv_rmse_se"]
    return best if rule == "min" else next(family for family in metrics if metrics[family]["cv_rmse"] <= bound)


def drop_stale(families: list[str]) -> None:
    """Delete the candidates and metrics of families that params.yaml no longer names."""
    for folder in (paths.CANDIDATES, paths.TRAIN_METRICS):
        for path in sorted(folder.glob("*.*")):
            if path.name.split(".")[0] not in families and path.name != ".gitignore":
                print(f"removing {path}: its family is not in params.yaml")
                atomic_files.remove(path)


def read_sample(family: str, size: int) -> pd.DataFrame:
    """Read a sample of at most `size` training rows with the family's out-of-fold predictions and residuals."""
    numbers = sampling.sample_numbers(paths.TRAIN, size)
    training = parquet.read(paths.TRAIN, numbers=numbers)
    out_of_fold = parquet.read(paths.CANDIDATES / f"{family}.oof.parquet", numbers=numbers)
    return training.merge(out_of_fold, on="row", validate="one_to_one")


def main() -> None:
    families, params = list(load_params(Train).families), load_params(Select)
    drop_stale(families)
    metrics = {family: atomic_files.read_json(paths.TRAIN_METRICS / f"{family}.json") for family in families}
    chosen = pick(metrics, params.rule)
    with atomic_files.replacing(paths.MODEL) as partial:
        shutil.copyfile(paths.CANDIDATES / f"{chosen}.onnx", partial)
    # Features that `features.exclude` leaves out are kept: drift reports their shifts, too.
    reference = sampling.reference(read_sample(chosen, params.reference_rows), load_schema(), params.reference_rows)
    parquet.write(reference, paths.REFERENCE)
    figures = {name: metrics[chosen][name] for name in ("cv_rmse", "onnx_max_abs_diff")}
    atomic_files.write_json(paths.SELECT_METRICS, {"family": chosen, **figures})
    for family, values in sorted(metrics.items(), key=lambda item: item[1]["cv_rmse"]):
        mark = "<- selected" if family == chosen else ""
        error = figure(values["cv_rmse_se"], 3)
        print(f"{family:>16}  cv_rmse {figure(values['cv_rmse'])} +- {error} {mark}")
    if asked := leak.question(Model.load(paths.MODEL).description.training):
        print(f"{chosen}: {asked}")


if __name__ == "__main__":
    errors.run_command(main)
