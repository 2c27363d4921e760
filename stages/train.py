"""Train one family: search its grid by cross-validation inside the training split, refit, export to ONNX.

    python -m stages.train ridge

Reads data/clean/train.parquet, data/schema.yaml, params; writes models/candidates/<family>.{joblib,onnx,oof.parquet}
and metrics/train/<family>.json. The test split is never read.
"""

import argparse
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.contract import errors, params, paths, schema
from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Select, Train
from pipeline.contract.schema import Schema
from pipeline.distributed import executor
from pipeline.distributed.executor import Executor
from pipeline.tables import atomic_files, parquet, splitting
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training import device, families, onnx_export, preprocessing, search
from pipeline.training.in_parts import fitting, out_of_fold
from pipeline.training.search import FitRecord


def fit(
    table: pd.DataFrame, schema: Schema, params: Train, family: str, folder: Path | None = None
) -> tuple[Pipeline, FitRecord]:
    """The family's best pipeline, fitted to the training rows of `table`, and how it was found.

    `table` is what `stages.clean` makes: the schema's columns and `fold`; rows of the test split (fold -1) are left
    out. `folder`: as of `cross_validate`. The pipeline predicts from a table with the schema's feature columns.
    Raises PipelineError for an unknown family or setting, or a table without `fold`.
    """
    if "fold" not in table:
        raise PipelineError("the table has no column `fold`: make it with stages.clean, which assigns each row's fold")
    if family not in params.families:
        raise PipelineError(f"params.yaml: train.families has no {family!r}; it has {', '.join(params.families)}")
    device.check(params.device)
    training = table[table["fold"] != splitting.TEST]
    matrix = to_matrix(training, schema.features)
    target = training[schema.target.name].to_numpy(float)
    splits = splitting.splits(training["fold"].to_numpy(), schema)
    found = search.search_grid(matrix, target, splits, schema, params, family, folder)
    model = families.numeric_pipeline(
        schema.features, family, params.seed, found.settings, found.indicators, params.device
    )
    with joblib.parallel_config("sequential"):  # as in pipeline.training.search
        model.fit(matrix, target)
    pipeline = Pipeline([("matrix", preprocessing.ToMatrix(schema.features).fit(training)), *model.steps])
    squared = np.square(found.out_of_fold - target)
    squared = squared[~np.isnan(squared)]
    cv_rmse = float(np.sqrt(squared.mean()))
    # The standard error of a root of a mean, by the delta method.
    error = float(squared.std(ddof=1) / np.sqrt(len(squared)) / (2 * cv_rmse)) if cv_rmse else 0.0
    names = tuple(schema.features[place].name for place in found.indicators)
    return pipeline, FitRecord(family, found.settings, cv_rmse, error, found.out_of_fold, found.tried, names)


def main() -> None:
    family = _arguments().family
    settings, limits, engine_settings = params.load("train"), params.load("select"), params.load("engine")
    table_schema = schema.load().excluding(params.load("features").exclude)
    most = engine_settings.in_memory_rows
    started = time.perf_counter()
    with executor.start(engine_settings) as run:
        train = in_memory if run.client is None or parquet.count(paths.TRAIN) <= most else in_parts
        record = train(run, table_schema, settings, limits, family)
    print(f"{family}: {record.tried} settings in {time.perf_counter() - started:.1f} s, chosen {record.settings}")
    print(f"{family}: cv_rmse {record.cv_rmse:.3f} +- {record.cv_rmse_se:.3f}")


def in_memory(run: Executor, table_schema: Schema, settings: Train, limits: Select, family: str) -> FitRecord:
    training = parquet.read(paths.TRAIN)
    with run.fan_out():
        pipeline, record = fit(training, table_schema, settings, family, paths.CANDIDATES if run.client else None)
    # Of a table in parts that of the one file it could be, so that the model file does not depend on the engine.
    level, sha256 = (
        settings.interval_level,
        atomic_files.digest(paths.TRAIN) if paths.TRAIN.is_file() else parquet.digest(training),
    )
    served = onnx_export.served_form(pipeline, record, training, table_schema, level, sha256, limits)
    residual = training[table_schema.target.name].to_numpy(float) - record.out_of_fold
    out_of_fold = pd.DataFrame({"row": training["row"], "prediction": record.out_of_fold, "residual": residual})
    parquet.write(out_of_fold, paths.CANDIDATES / f"{family}.oof.parquet")
    save(pipeline, record, served)
    return record


def in_parts(run: Executor, table_schema: Schema, settings: Train, limits: Select, family: str) -> FitRecord:
    parts, sha256 = parquet.parts(paths.TRAIN), atomic_files.digest(paths.TRAIN)
    with atomic_files.replacing(paths.CANDIDATES / f"{family}.oof.parquet") as folder:
        found = fitting.fit(run, parts, table_schema, settings, family, sha256, folder)
    pipeline, record, sample, training = found
    level = settings.interval_level
    served = onnx_export.served_form(pipeline, record, sample, table_schema, level, sha256, limits, training)
    gap = out_of_fold.largest_gap(run, parts, table_schema, pipeline, served.content, paths.CANDIDATES)
    onnx_export.check_gap(gap, family, training.target_std, limits)
    save(pipeline, record, served._replace(max_abs_diff=max(gap, served.max_abs_diff)))
    return record


def save(pipeline: Pipeline, record: FitRecord, served: onnx_export.Served) -> None:
    with atomic_files.replacing(paths.CANDIDATES / f"{record.family}.joblib") as partial:
        joblib.dump(pipeline, partial)
    atomic_files.write_bytes(paths.CANDIDATES / f"{record.family}.onnx", served.content)
    metrics = {
        "cv_rmse": record.cv_rmse,
        "cv_rmse_se": record.cv_rmse_se,
        "settings": record.settings,
        "missing_indicators": len(record.indicators),
        "onnx_max_abs_diff": served.max_abs_diff,
        # To the kilobyte: the metadata's numbers have last digits, and so a length, that processors differ in.
        "model_mb": round(len(served.content) / 1e6, 3),
    }
    atomic_files.write_json(Path(f"metrics/train/{record.family}.json"), metrics)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.train", description="Train one family of models.")
    parser.add_argument("family", help="a name under train.families in params.yaml")
    return parser.parse_args()


if __name__ == "__main__":
    errors.run_command(main)
