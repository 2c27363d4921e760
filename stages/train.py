"""Train one family: search its grid by cross-validation inside the training split, refit, export to ONNX.

    python -m stages.train ridge

Reads data/clean/train.parquet, data/schema.yaml, params; writes models/candidates/<family>.{joblib,onnx,oof.parquet}
and metrics/train/<family>.json. It never reads the test split. A family that needs more rows in memory than
`engine.in_memory_rows` is skipped, and `select` takes the model from the others.
"""

import argparse
import time
from functools import partial

import joblib
import pandas as pd
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from pipeline.contract import errors, paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.number_text import figure
from pipeline.contract.params import Engine, Features, Select, Train
from pipeline.contract.params import load as load_params
from pipeline.contract.schema import Schema
from pipeline.contract.schema import load as load_schema
from pipeline.contract.wording import counted
from pipeline.distributed import executor
from pipeline.distributed.executor import Executor
from pipeline.tables import atomic_files, digits, parquet, sampling, splitting
from pipeline.training import families, onnx_export, parity, preprocessing, search
from pipeline.training.cross_validation import Rows
from pipeline.training.in_parts import fitting, out_of_fold
from pipeline.training.in_parts.fitting import NeedsAllRowsError
from pipeline.training.in_parts.learner import TrainingParts
from pipeline.training.onnx_export import Served
from pipeline.training.search import FitRecord

Trained = tuple[Pipeline, FitRecord, Served]


def fit(
    table: pd.DataFrame, schema: Schema, params: Train, family: str, run: Executor | None = None
) -> tuple[Pipeline, FitRecord]:
    """Return the family's best pipeline, fitted to the training rows of `table`, and the record of its search.

    `table` comes from `stages.clean`: the schema's columns and `fold`. Rows of the test split (fold -1) are left out.
    `run` makes the fits of the search; by default this process does. The pipeline predicts from a table with the
    schema's feature columns.
    Raises PipelineError for an unknown family or setting, a table without `fold`, and a GPU that is not there.
    """
    if "fold" not in table:
        raise PipelineError("the table has no column `fold`: make it with stages.clean, which assigns each row's fold")
    if family not in params.families:
        raise PipelineError(f"params.yaml: train.families has no {family!r}; it has {', '.join(params.families)}")
    make = partial(families.numeric_pipeline, schema, family, params.seed, device=params.device)
    families.check_device(make({})[-1].regressor)
    training = table[table["fold"] != splitting.TEST]
    rows, sample = Rows.of(training, schema), None
    if len(training) > params.search_rows:
        sample = Rows.of(training.iloc[sampling.sample(training["row"], params.search_rows)], schema)
    record = search.search(rows, sample, schema, params, family, run or Executor())
    model = make(record.settings, record.indicators)
    # As in the search: in this process, and one BLAS thread, so that the number of cores changes no digit.
    with joblib.parallel_config("sequential"), threadpool_limits(1):
        model.fit(rows.matrix, rows.target)
    return preprocessing.from_table(model, schema.features), record


def main() -> None:
    family = _arguments().family
    params, limits, engine = load_params(Train), load_params(Select), load_params(Engine)
    schema = load_schema().excluding(load_params(Features).exclude)
    started = time.perf_counter()
    with executor.start(engine) as run:
        is_large = parquet.count(paths.TRAIN) > engine.in_memory_rows
        train = in_parts if is_large and run.client is not None else in_memory
        try:
            pipeline, record, served = train(run, schema, params, limits, family)
        except NeedsAllRowsError as reason:
            return skip(family, str(reason))
    save(pipeline, record, served)
    report(record, time.perf_counter() - started)


def in_memory(run: Executor, schema: Schema, params: Train, limits: Select, family: str) -> Trained:
    training = parquet.read(paths.TRAIN)
    target = training[schema.target.name].to_numpy(float)
    pipeline, record = fit(training, schema, params, family, run)
    # Of a table in parts, the hash that it would have as one file: the model file does not depend on the engine.
    sha256 = atomic_files.digest(paths.TRAIN) if paths.TRAIN.is_file() else parquet.digest(training)
    described = onnx_export.describe_training(target, sha256, record.cv_rmse)
    served = onnx_export.served_form(pipeline, record, training, schema, described, params.interval_level, limits)
    predictions = {"prediction": record.out_of_fold, "residual": target - record.out_of_fold}
    parquet.write(pd.DataFrame({"row": training["row"], **predictions}), paths.CANDIDATES / f"{family}.oof.parquet")
    return pipeline, record, served


def in_parts(run: Executor, schema: Schema, params: Train, limits: Select, family: str) -> Trained:
    parts, sha256 = TrainingParts(run, parquet.parts(paths.TRAIN), schema), atomic_files.digest(paths.TRAIN)
    with atomic_files.replacing(paths.CANDIDATES / f"{family}.oof.parquet") as folder:
        pipeline, record, sample, training = fitting.fit(parts, params, family, sha256, folder)
    served = onnx_export.served_form(pipeline, record, sample, schema, training, params.interval_level, limits)
    gap = out_of_fold.largest_gap(parts, pipeline, served.content)
    parity.check_gap(gap, family, training.target_std, limits)
    of_all = digits.power_of_ten_above(gap, training.target_std)
    return pipeline, record, served._replace(max_abs_diff=max(of_all, served.max_abs_diff))


def save(pipeline: Pipeline, record: FitRecord, served: Served) -> None:
    with atomic_files.replacing(paths.CANDIDATES / f"{record.family}.joblib") as partial:
        joblib.dump(pipeline, partial)
    atomic_files.write_bytes(paths.CANDIDATES / f"{record.family}.onnx", served.content)
    metrics = {
        "cv_rmse": record.cv_rmse,
        "cv_rmse_se": record.cv_rmse_se,
        "settings": record.settings,
        "missing_indicators": len(record.indicators),
        "onnx_max_abs_diff": served.max_abs_diff,
        "model_mb": round(len(served.content) / 1e6, 3),
    }
    atomic_files.write_json(paths.TRAIN_METRICS / f"{record.family}.json", metrics)


def report(record: FitRecord, seconds: float) -> None:
    """Print the settings that were left out and the chosen ones, the time, and the error."""
    for settings in record.diverged:
        print(f"{record.family}: {settings} is left out: in cross-validation a prediction was not finite")
    print(f"{record.family}: {counted(record.tried, 'setting')} in {seconds:.1f} s, chosen {record.settings}")
    print(f"{record.family}: cv_rmse {figure(record.cv_rmse)} +- {figure(record.cv_rmse_se, 3)}")


def skip(family: str, reason: str) -> None:
    """Write the outputs of a family that is left out: empty files, because DVC expects them, and the reason."""
    for suffix in ("joblib", "onnx", "oof.parquet"):
        atomic_files.write_bytes(paths.CANDIDATES / f"{family}.{suffix}", b"")
    atomic_files.write_json(paths.TRAIN_METRICS / f"{family}.json", {"skipped": reason})
    print(f"{family} is skipped: {reason}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.train", description="Train one family of models.")
    parser.add_argument("family", help="a name under train.families in params.yaml")
    return parser.parse_args()


if __name__ == "__main__":
    errors.run_command(main)
