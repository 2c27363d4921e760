"""The served form of a fit: an ONNX file that describes itself, and the proof that it answers as the fit does."""

from typing import NamedTuple

import msgspec
import numpy as np
import onnx
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import KEY, Description, Golden, Interval, Model, Training
from pipeline.contract.params import Select
from pipeline.contract.schema import Schema
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training import parity
from pipeline.training.conformal import half_width
from pipeline.training.onnx_converters import to_onnx
from pipeline.training.search import FitRecord

GOLDEN_ROWS = 5  # of the training rows, beside the edge rows
_PIECE = 4096  # rows that are compared at a time: each takes its memory several times over


class Served(NamedTuple):
    """The bytes of the model file, and how far it is from the fit at most, in the target's unit."""

    content: bytes
    max_abs_diff: float


def served_form(
    pipeline: Pipeline,
    record: FitRecord,
    training: pd.DataFrame,
    schema: Schema,
    level: float,
    sha256: str,
    limits: Select,
    whole: Training | None = None,
) -> Served:
    """Convert, compare and describe a fit on the `training` table of that sha256; or on a table of which `training` is
    a sample, and which `whole` describes: its rows are left to `held_out.largest_gap`.

    Raises PipelineError where the file is too large to serve or answers otherwise than the fit on a training row
    or an edge row.
    """
    matrix = to_matrix(training, schema.features)
    target = training[schema.target.name].to_numpy(float)
    half = half_width(record.out_of_fold, target - record.out_of_fold, level)
    graph = to_onnx(pipeline[1:], matrix.shape[1], half)
    description = Description(
        format=1,
        family=record.family,
        settings=record.settings,
        schema=schema,
        features=tuple(column.name for column in schema.features),
        imputed=_imputed(pipeline, schema),
        interval=Interval(level, "out-of-fold residuals, in units of their mean size near the prediction"),
        training=whole or Training(len(target), sha256, float(np.median(target)), float(target.std()), record.cv_rmse),
    )
    tolerance = limits.onnx_tolerance * description.training.target_std
    model = Model(_file(graph, description), f"the ONNX form of {record.family}")
    extremes = parity.extremes(matrix)
    probes = extremes, parity.at_thresholds(matrix, graph, _order(pipeline)), *([] if whole else [matrix])
    pieces = (rows[start : start + _PIECE] for rows in probes for start in range(0, len(rows), _PIECE))
    # NumPy's maximum, which is NaN where one of them is.
    gap = float(np.max([np.abs(model.predict(rows)[:, 0] - pipeline[1:].predict(rows)).max() for rows in pieces]))
    check_gap(gap, record.family, description.training.target_std, limits)
    golden = np.vstack([matrix[:GOLDEN_ROWS], extremes])
    content = _file(graph, msgspec.structs.replace(description, golden=_golden(model, golden, tolerance)))
    if len(content) > limits.max_model_mb * 1e6:
        raise PipelineError(
            f"{record.family}: the model file has {len(content) / 1e6:.1f} MB, more than select.max_model_mb = "
            f"{limits.max_model_mb:g}: fewer or smaller trees in train.families, or raise the limit"
        )
    return Served(content, gap)


def check_gap(gap: float, family: str, target_std: float, limits: Select) -> None:
    """Raises PipelineError where a served form answers otherwise than its fit; `gap` is in the target's unit."""
    if not gap <= (tolerance := limits.onnx_tolerance * target_std):
        raise PipelineError(
            f"{family}: ONNX and the fitted model differ by {gap:.3g}, more than select.onnx_tolerance "
            f"x the target's standard deviation = {tolerance:.3g}: raise it in params.yaml, or scale the features less"
        )


def _file(graph: onnx.ModelProto, description: Description) -> bytes:
    del graph.metadata_props[:]
    graph.metadata_props.add(key=KEY, value=msgspec.json.encode(description).decode())
    content: bytes = graph.SerializeToString(deterministic=True)
    return content


def _golden(model: Model, rows: np.ndarray, tolerance: float) -> Golden:
    features = [[None if np.isnan(value) else value for value in row] for row in rows.tolist()]
    return Golden(features, model.predict(rows).tolist(), tolerance)


def _order(pipeline: Pipeline) -> list[int]:
    """The feature behind each of the model's first columns: those that preparation neither splits nor adds."""
    parts = {name: places for name, _, places in pipeline.named_steps["prepare"].transformers_}
    return [*parts.get("numbers", []), *parts.get("booleans", [])]


def _imputed(pipeline: Pipeline, schema: Schema) -> dict[str, float]:
    """What replaces a missing value of each feature, as learned from the training rows."""
    prepare = pipeline.named_steps["prepare"]
    return {
        schema.features[place].name: float(value)
        for name, _, places in prepare.transformers_
        if name not in ("missing", "remainder")
        for place, value in zip(places, prepare.named_transformers_[name][0].statistics_, strict=True)
    }
