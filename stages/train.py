"""Train one family: search its grid by cross-validation inside the training split, refit, export to ONNX.

    python -m stages.train ridge

Reads data/clean/train.parquet, data/schema.yaml, params; writes models/candidates/<family>.{joblib,onnx,oof.parquet}
and metrics/train/<family>.json. The test split is never read.
"""

if __name__ == "__main__":
    from stages import ahead  # of the libraries, which take their time

    ahead.start()

import argparse
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from stages import engine, errors, families, files, params, rows, schema, tables
from stages.engine import Engine
from stages.errors import PipelineError
from stages.matrix import to_matrix
from stages.params import Select, Train
from stages.schema import Schema
from stages.training import by_parts, device, export, held_out, preparation, search
from stages.training.records import Record

TRAIN = Path("data/clean/train.parquet")
OUT = Path("models/candidates")


class Found(NamedTuple):
    """What cross-validation chose: settings, the places of the features with a missing indicator, and its out-of-fold
    predictions [rows]; `tried` counts the settings."""

    settings: search.Settings
    indicators: tuple[int, ...]
    out_of_fold: np.ndarray
    tried: int


def fit(
    table: pd.DataFrame, schema: Schema, params: Train, family: str, folder: Path | None = None
) -> tuple[Pipeline, Record]:
    """The family's best pipeline, fitted to the training rows of `table`, and how it was found.

    `table` is what `stages.clean` makes: the schema's columns and `fold`; rows of the test split (fold -1) are left
    out. `folder`: as of `search.cross_validate`. The pipeline predicts from a table with the schema's feature columns.
    Raises PipelineError for an unknown family or setting, or a table without `fold`.
    """
    if "fold" not in table:
        raise PipelineError("the table has no column `fold`: make it with stages.clean, which assigns each row's fold")
    if family not in params.families:
        raise PipelineError(f"params.yaml: train.families has no {family!r}; it has {', '.join(params.families)}")
    device.check(params.device)
    training = table[table["fold"] != rows.TEST]
    matrix = to_matrix(training, schema.features)
    target = training[schema.target.name].to_numpy(float)
    splits = rows.splits(training["fold"].to_numpy(), schema)
    found = choose(matrix, target, splits, schema, params, family, folder)
    model = families.numeric_pipeline(
        schema.features, family, params.seed, found.settings, found.indicators, params.device
    )
    with joblib.parallel_config("sequential"):  # as in stages.training.search
        model.fit(matrix, target)
    pipeline = Pipeline([("matrix", preparation.ToMatrix(schema.features).fit(training)), *model.steps])
    squared = np.square(found.out_of_fold - target)
    squared = squared[~np.isnan(squared)]
    cv_rmse = float(np.sqrt(squared.mean()))
    # The standard error of a root of a mean, by the delta method.
    error = float(squared.std(ddof=1) / np.sqrt(len(squared)) / (2 * cv_rmse)) if cv_rmse else 0.0
    names = tuple(schema.features[place].name for place in found.indicators)
    return pipeline, Record(family, found.settings, cv_rmse, error, found.out_of_fold, found.tried, names)


def choose(
    matrix: np.ndarray,
    target: np.ndarray,
    splits: list[search.Split],
    schema: Schema,
    params: Train,
    family: str,
    folder: Path | None,
) -> Found:
    """What `search.choose` finds of the family's grid, by the squared error over all held rows together."""
    kind, grid = families.get(family), params.families[family]
    tried = search.combinations(kind.bounded(grid, len(target), params.max_leaves))
    out_of_fold: dict[str, np.ndarray] = {}

    def errors(settings: list[search.Settings], indicators: tuple[int, ...]) -> list[float]:
        make = partial(
            families.numeric_pipeline,
            schema.features,
            family,
            params.seed,
            indicators=indicators,
            device=params.device,
        )
        predictions = search.cross_validate(settings, make, kind.sharing, matrix, target, splits, family, folder)
        out_of_fold.update(zip((repr((each, indicators)) for each in settings), predictions, strict=True))
        # With a time, the first block is never held: its predictions are NaN.
        return [float(error) for error in np.nanmean(np.square(predictions - target), axis=1)]

    missing = tuple(np.flatnonzero(np.isnan(matrix).any(axis=0)).tolist())
    chosen = search.choose(errors, tried, kind.also, missing)
    return Found(*chosen, out_of_fold[repr(chosen)], len(tried))


def main() -> None:
    family = _arguments().family
    settings, limits, engine_settings = params.load("train"), params.load("select"), params.load("engine")
    table_schema = schema.load().excluding(params.load("features").exclude)
    most = engine_settings.in_memory_rows
    started = time.perf_counter()
    with engine.start(engine_settings) as run:
        train = in_memory if run.client is None or tables.count(TRAIN) <= most else in_parts
        record = train(run, table_schema, settings, limits, family)
    print(f"{family}: {record.tried} settings in {time.perf_counter() - started:.1f} s, chosen {record.settings}")
    print(f"{family}: cv_rmse {record.cv_rmse:.3f} +- {record.cv_rmse_se:.3f}")


def in_memory(run: Engine, table_schema: Schema, settings: Train, limits: Select, family: str) -> Record:
    training = tables.read(TRAIN)
    with run.fan_out():
        pipeline, record = fit(training, table_schema, settings, family, OUT if run.client else None)
    # Of a table in parts that of the one file it could be, so that the model file does not depend on the engine.
    level, sha256 = settings.interval_level, files.digest(TRAIN) if TRAIN.is_file() else tables.digest(training)
    served = export.served_form(pipeline, record, training, table_schema, level, sha256, limits)
    residual = training[table_schema.target.name].to_numpy(float) - record.out_of_fold
    out_of_fold = pd.DataFrame({"row": training["row"], "prediction": record.out_of_fold, "residual": residual})
    tables.write(out_of_fold, OUT / f"{family}.oof.parquet")
    save(pipeline, record, served)
    return record


def in_parts(run: Engine, table_schema: Schema, settings: Train, limits: Select, family: str) -> Record:
    parts, sha256 = tables.parts(TRAIN), files.digest(TRAIN)
    with files.replacing(OUT / f"{family}.oof.parquet") as folder:
        found = by_parts.fit(run, parts, table_schema, settings, family, sha256, folder)
    pipeline, record, sample, training = found
    level = settings.interval_level
    served = export.served_form(pipeline, record, sample, table_schema, level, sha256, limits, training)
    gap = held_out.largest_gap(run, parts, table_schema, pipeline, served.content, OUT)
    export.check_gap(gap, family, training.target_std, limits)
    save(pipeline, record, served._replace(max_abs_diff=max(gap, served.max_abs_diff)))
    return record


def save(pipeline: Pipeline, record: Record, served: export.Served) -> None:
    with files.replacing(OUT / f"{record.family}.joblib") as partial:
        joblib.dump(pipeline, partial)
    files.write_bytes(OUT / f"{record.family}.onnx", served.content)
    metrics = {
        "cv_rmse": record.cv_rmse,
        "cv_rmse_se": record.cv_rmse_se,
        "settings": record.settings,
        "missing_indicators": len(record.indicators),
        "onnx_max_abs_diff": served.max_abs_diff,
        # To the kilobyte: the metadata's numbers have last digits, and so a length, that processors differ in.
        "model_mb": round(len(served.content) / 1e6, 3),
    }
    files.write_json(Path(f"metrics/train/{record.family}.json"), metrics)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.train", description="Train one family of models.")
    parser.add_argument("family", help="a name under train.families in params.yaml")
    return parser.parse_args()


if __name__ == "__main__":
    errors.run(main)
