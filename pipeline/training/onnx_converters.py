"""Conversion of a fitted pipeline and its interval to an ONNX graph."""

import sys
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from skl2onnx import convert_sklearn, update_registered_converter
from skl2onnx.common._apply_operation import apply_cast
from skl2onnx.common.data_types import FloatTensorType
from sklearn.pipeline import Pipeline

from pipeline.contract.onnx_model import OUTPUTS
from pipeline.training.conformal import HalfWidth
from pipeline.training.preprocessing import IsMissing

OPSET = {"": 17, "ai.onnx.ml": 3}


def to_onnx(pipeline: Pipeline, n_features: int, half: HalfWidth) -> onnx.ModelProto:
    """Return the graph of a fitted numeric pipeline: input `features` [rows, n_features], outputs `prediction`, `lower`
    and `upper` [rows, 1], all float32.

    Names inside the graph are fixed, so that the same fit gives the same bytes.
    """
    _register_is_missing()
    _register_xgboost()
    features = FloatTensorType([None, n_features])
    model = convert_sklearn(pipeline, "model", [("features", features)], target_opset=OPSET)
    _add_interval(model.graph, half)
    outputs = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 1]) for name in OUTPUTS]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    # skl2onnx lists the operator sets in the order of a Python set, which differs from process to process.
    imports = sorted(model.opset_import, key=lambda opset: opset.domain)
    del model.opset_import[:]
    model.opset_import.extend(imports)
    onnx.checker.check_model(model)
    return model


def _add_interval(graph: onnx.GraphProto, half: HalfWidth) -> None:
    """Add prediction -/+ half-width to the graph.

    The piecewise linear half-width is its first value plus a sum of ramps: one starts at each knot but the last, and
    its weight is the change of slope there.
    """
    # One more knot behind the last, at the same value: a single knot has no slope.
    knots = np.append(half.knots, half.knots[-1] + max(1.0, abs(half.knots[-1])))
    values = np.append(half.values, half.values[-1])
    slopes = np.diff(values) / np.diff(knots)
    constants = {
        "one_column": np.array([-1, 1], dtype=np.int64),
        "first_knot": np.float32(knots[0]),
        "last_knot": np.float32(knots[-1]),
        "knots": knots[:-1].astype(np.float32),
        "bends": np.diff(slopes, prepend=0).astype(np.float32)[:, None],
        "first_value": np.float32(values[0]),
    }
    for name, value in constants.items():
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    raw = graph.output[0].name
    steps = [
        ("Reshape", [raw, "one_column"], "prediction"),
        ("Clip", ["prediction", "first_knot", "last_knot"], "clipped"),
        ("Sub", ["clipped", "knots"], "beyond_knots"),
        ("Relu", ["beyond_knots"], "ramps"),
        ("MatMul", ["ramps", "bends"], "rise"),
        ("Add", ["rise", "first_value"], "half_width"),
        ("Sub", ["prediction", "half_width"], "lower"),
        ("Add", ["prediction", "half_width"], "upper"),
    ]
    graph.node.extend(helper.make_node(operator, inputs, [output]) for operator, inputs, output in steps)


def _register_is_missing() -> None:
    def shape(operator: Any) -> None:
        operator.outputs[0].type = FloatTensorType([None, operator.inputs[0].get_second_dimension()])

    def convert(scope: Any, operator: Any, container: Any) -> None:
        name = scope.get_unique_variable_name("is_nan")
        container.add_node("IsNaN", operator.inputs[0].full_name, name, name=scope.get_unique_operator_name("IsNaN"))
        apply_cast(scope, name, operator.outputs[0].full_name, container, to=onnx.TensorProto.FLOAT)

    update_registered_converter(IsMissing, "IsMissing", shape, convert, overwrite=True)


def _register_xgboost() -> None:
    # Only where the family is in use: importing xgboost takes longer than a linear fit.
    if "xgboost" not in sys.modules:
        return
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from skl2onnx.common.shape_calculator import calculate_linear_regressor_output_shapes
    from xgboost import XGBRegressor

    update_registered_converter(
        XGBRegressor, "XGBoostXGBRegressor", calculate_linear_regressor_output_shapes, convert_xgboost, overwrite=True
    )
