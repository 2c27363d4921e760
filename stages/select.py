"""Select: the family with the lowest cross-validated RMSE becomes the model; its training sample the reference.

Reads models/candidates, metrics/train, data/clean/train.parquet, data/schema.yaml, params; writes models/model.onnx,
models/reference.parquet, metrics/select.json. The test split is never read.
"""

import shutil
from pathlib import Path
from typing import Any

from pipeline.contract import errors, params, paths, schema
from pipeline.contract.errors import PipelineError
from pipeline.tables import atomic_files, parquet, sampling


def pick(metrics: dict[str, dict[str, Any]], rule: str) -> str:
    """The family with the lowest `cv_rmse` (`min`), or the first within one standard error of it (`one_se`: Breiman,
    Friedman, Olshen and Stone 1984, section 3.4.3); params.yaml lists families from simple to complex.

    Raises PipelineError where there is none.
    """
    if not metrics:
        raise PipelineError("params.yaml: train.families is empty: name at least one family")
    best = min(metrics, key=lambda family: metrics[family]["cv_rmse"])
    bound = metrics[best]["cv_rmse"] + metrics[best]["cv_rmse_se"]
    return best if rule == "min" else next(family for family in metrics if metrics[family]["cv_rmse"] <= bound)


def drop_stale(families: list[str]) -> None:
    """Delete what families left behind that params.yaml no longer names, so that the folders say what is."""
    for folder in (paths.CANDIDATES, paths.TRAIN_METRICS):
        for path in sorted(folder.glob("*.*")):
            if path.name.split(".")[0] not in families and path.name != ".gitignore":
                print(f"removing {path}: its family is not in params.yaml")
                atomic_files.remove(path)


def main() -> None:
    families = list(params.load("train").families)
    limits = params.load("select")
    drop_stale(families)
    metrics = {family: atomic_files.read_json(paths.TRAIN_METRICS / f"{family}.json") for family in families}
    chosen = pick(metrics, limits.rule)
    with atomic_files.replacing(Path("models/model.onnx")) as partial:
        shutil.copyfile(paths.CANDIDATES / f"{chosen}.onnx", partial)
    numbers = sampling.sample_numbers(paths.TRAIN, limits.reference_rows)
    training, out_of_fold = (
        parquet.read(path, numbers=numbers) for path in (paths.TRAIN, paths.CANDIDATES / f"{chosen}.oof.parquet")
    )
    scored = training.merge(out_of_fold, on="row", validate="one_to_one")
    # With the features that `features.exclude` leaves out: drift reports their shifts, too.
    parquet.write(sampling.reference(scored, schema.load(), limits.reference_rows), Path("models/reference.parquet"))
    figures = {name: metrics[chosen][name] for name in ("cv_rmse", "onnx_max_abs_diff")}
    atomic_files.write_json(Path("metrics/select.json"), {"family": chosen, **figures})
    for family, values in sorted(metrics.items(), key=lambda item: item[1]["cv_rmse"]):
        mark = "<- selected" if family == chosen else ""
        print(f"{family:>16}  cv_rmse {values['cv_rmse']:.3f} +- {values['cv_rmse_se']:.3f} {mark}")


if __name__ == "__main__":
    errors.run_command(main)
