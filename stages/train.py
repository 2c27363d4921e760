"""Train one family: search its grid by cross-validation inside the training split, refit, export to ONNX.

    python -m stages.train ridge

Reads data/clean/train.parquet, data/schema.yaml, params; writes models/candidates/<family>.{joblib,onnx,oof.parquet}
and metrics/train/<family>.json. The test split is never read.
"""

import argparse
import time
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from stages import errors, export, families, files, params, rows, schema, search, tables
from stages.errors import PipelineError
from stages.matrix import to_matrix
from stages.params import Train
from stages.records import Record
from stages.schema import Schema
from stages.scores import rmse

TRAIN = Path("data/clean/train.parquet")
OUT = Path("models/candidates")


def fit(table: pd.DataFrame, schema: Schema, params: Train, family: str) -> tuple[Pipeline, Record]:
    """The family's best pipeline, fitted to the training rows of `table`, and how it was found.

    `table` is what `stages.clean` makes: the schema's columns and `fold`; rows of the test split (fold -1) are left
    out. The pipeline predicts from a table with the schema's feature columns.
    Raises PipelineError for an unknown family or setting, or a table without `fold`.
    """
    if "fold" not in table:
        raise PipelineError("the table has no column `fold`: make it with stages.clean, which assigns each row's fold")
    if family not in params.families:
        raise PipelineError(f"params.yaml: train.families has no {family!r}; it has {', '.join(params.families)}")
    training = table[table["fold"] != rows.TEST]
    matrix = to_matrix(training, schema.features)
    target = training[schema.target.name].to_numpy(float)
    tried = search.combinations(params.families[family])
    make = partial(families.numeric_pipeline, schema.features, family, params.seed)
    splits = rows.splits(training["fold"].to_numpy(), schema)
    growth = families.get(family).growth
    out_of_fold = search.cross_validate(tried, make, growth, matrix, target, splits, family)
    # With a time, the first block is never validated: its predictions are NaN.
    held = ~np.isnan(out_of_fold[0])
    squared = np.square(out_of_fold - target)[:, held]
    # The first of equals, so that the order of the grid and not the order of finishing decides.
    best = int(np.argmin(squared.mean(axis=1)))
    model = make(tried[best]).fit(matrix, target)
    pipeline = Pipeline([("matrix", families.ToMatrix(schema.features).fit(training)), *model.steps])
    record = Record(
        family,
        tried[best],
        rmse(target[held], out_of_fold[best][held]),
        # The standard error of a root of a mean, by the delta method.
        float(squared[best].std(ddof=1) / np.sqrt(held.sum()) / (2 * np.sqrt(squared[best].mean()))),
        out_of_fold[best],
        len(tried),
    )
    return pipeline, record


def main() -> None:
    family = _arguments().family
    settings = params.load("train")
    table_schema = schema.load().excluding(params.load("features").exclude)
    training = tables.read(TRAIN)
    started = time.perf_counter()
    pipeline, record = fit(training, table_schema, settings, family)
    print(f"{family}: {record.tried} settings in {time.perf_counter() - started:.1f} s, chosen {record.settings}")
    served = export.served_form(
        pipeline, record, training, table_schema, settings.interval_level, files.digest(TRAIN), params.load("select")
    )
    save(pipeline, record, served, training, table_schema)


def save(pipeline: Pipeline, record: Record, served: export.Served, training: pd.DataFrame, schema: Schema) -> None:
    with files.replacing(OUT / f"{record.family}.joblib") as partial:
        joblib.dump(pipeline, partial)
    files.write_bytes(OUT / f"{record.family}.onnx", served.content)
    residual = training[schema.target.name].to_numpy(float) - record.out_of_fold
    out_of_fold = pd.DataFrame({"row": training["row"], "prediction": record.out_of_fold, "residual": residual})
    tables.write(out_of_fold, OUT / f"{record.family}.oof.parquet")
    metrics = {
        "cv_rmse": record.cv_rmse,
        "cv_rmse_se": record.cv_rmse_se,
        "settings": record.settings,
        "onnx_max_abs_diff": served.max_abs_diff,
        "model_mb": len(served.content) / 1e6,
    }
    files.write_json(Path(f"metrics/train/{record.family}.json"), metrics)
    print(f"{record.family}: cv_rmse {record.cv_rmse:.3f} +- {record.cv_rmse_se:.3f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.train", description="Train one family of models.")
    parser.add_argument("family", help="a name under train.families in params.yaml")
    return parser.parse_args()


if __name__ == "__main__":
    errors.run(main)
