"""The served form of a fit: an ONNX file that describes itself and is known to predict what the fit predicts."""

from typing import NamedTuple

import msgspec
import numpy as np
import onnx
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.contract.columns import matrix_columns, names_by_feature
from pipeline.contract.description import (
    FORMAT,
    Comparables,
    Description,
    Golden,
    Interval,
    MatrixRows,
    Member,
    Training,
)
from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import KEY, Model
from pipeline.contract.params import Select
from pipeline.contract.schema import Schema
from pipeline.tables import digits
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training import families, parity
from pipeline.training.conformal import half_width
from pipeline.training.onnx_converters import to_onnx
from pipeline.training.preprocessing import imputed_values, unencoded_columns
from pipeline.training.search import FitRecord

GOLDEN_ROWS = 5  # training rows among the golden rows, beside the extremes


class Served(NamedTuple):
    """The bytes of a model file, and the largest gap between its predictions and the fit's, in the target's unit and up
    to the next power of ten, because its digits are the processor's."""

    content: bytes
    max_abs_diff: float


def describe_training(target: np.ndarray, sha256: str, cv_rmse: float) -> Training:
    """Describe the training rows with this target; `sha256` is that of their file."""
    return Training(len(target), sha256, float(np.median(target)), digits.significant(float(target.std())), cv_rmse)


def served_form(
    pipeline: Pipeline,
    record: FitRecord,
    table: pd.DataFrame,
    schema: Schema,
    training: Training,
    level: float,
    limits: Select,
) -> Served:
    """Convert a fit to ONNX, compare the two on the rows of `table`, and describe the fit in the file.

    `table`: the training rows that `record.out_of_fold` belongs to; all of them, or a sample of those that `training`
    describes. `level`: of the interval.
    Raises PipelineError where the file is too large to serve, or predicts otherwise than the fit.
    """
    matrix = to_matrix(table, schema.features)
    residuals = table[schema.target.name].to_numpy(float) - record.out_of_fold
    half = half_width(record.out_of_fold, residuals, level)
    graph = to_onnx(pipeline[1:], matrix.shape[1], half, families.get(record.family).inputs != "trees")
    preparation, names = pipeline.named_steps["prepare"], [each.name for each in matrix_columns(schema.features)]
    description = Description(
        format=FORMAT,
        family=record.family,
        settings=record.settings,
        schema=schema,
        features=tuple(column.name for column in schema.features),
        imputed=dict(zip(names, imputed_values(preparation).tolist(), strict=True)),
        interval=Interval(level, half.method),
        training=training,
        matrix=names_by_feature(schema.features),
        members=(Member(record.family, record.settings, record.indicators),),
    )
    model = Model(described(graph, description), f"the ONNX form of {record.family}")
    extremes = parity.extremes(matrix)
    at_thresholds = parity.at_thresholds(matrix, graph, unencoded_columns(preparation))
    gap = parity.largest_gap(model, pipeline[1:], [extremes, at_thresholds, matrix])
    parity.check_gap(gap, record.family, training.target_std, limits)
    content = with_golden(graph, description, np.vstack([matrix[:GOLDEN_ROWS], extremes]), limits)
    return Served(content, digits.power_of_ten_above(gap, training.target_std))


def with_golden(graph: onnx.ModelProto, description: Description, rows: np.ndarray, limits: Select) -> bytes:
    """Return the model file with its answers to these rows; raises PipelineError where it is too large to serve."""
    spread = description.training.target_std
    outputs = digits.rounded(Model(described(graph, description), description.family).predict(rows), spread)
    golden = Golden(_rows(rows), outputs.tolist(), limits.onnx_tolerance * spread)
    content = described(graph, msgspec.structs.replace(description, golden=golden))
    if len(content) > limits.max_model_mb * 1e6:
        raise PipelineError(
            f"{description.family}: the model file has {len(content) / 1e6:.1f} MB, more than select.max_model_mb = "
            f"{limits.max_model_mb:g}: fewer or smaller trees in train.families, or raise the limit"
        )
    return content


def with_rows(content: bytes, background: pd.DataFrame, comparables: pd.DataFrame | None) -> bytes:
    """Return the model file with training rows for explanations: `background` gets in without its target."""
    graph = onnx.load_model_from_string(content)
    about = read_description(graph)
    shown = None
    if comparables is not None:
        target = comparables[about.schema.target.name].to_numpy(float)
        shown = Comparables(_rows(to_matrix(comparables, about.columns)), target.tolist())
    rows = _rows(to_matrix(background, about.columns))
    return described(graph, msgspec.structs.replace(about, background=rows, comparables=shown))


def described(graph: onnx.ModelProto, description: Description) -> bytes:
    """Return the model file of a graph with its description."""
    del graph.metadata_props[:]
    graph.metadata_props.add(key=KEY, value=msgspec.json.encode(description).decode())
    content: bytes = graph.SerializeToString(deterministic=True)
    return content


def read_description(graph: onnx.ModelProto) -> Description:
    """Read the description of a model file that `pipeline.contract.onnx_model` can load."""
    text = next(entry.value for entry in graph.metadata_props if entry.key == KEY)
    return msgspec.json.decode(text, type=Description)


def _rows(matrix: np.ndarray) -> MatrixRows:
    return [[None if np.isnan(value) else value for value in row] for row in matrix.tolist()]
