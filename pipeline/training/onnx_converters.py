"""Conversion of a fitted pipeline and its interval to an ONNX graph."""

import sys
from typing import Any

import numpy as np
import onnx
from onnx import helper
from skl2onnx import convert_sklearn, update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from skl2onnx.common.shape_calculator import calculate_linear_regressor_output_shapes
from skl2onnx.operator_converters.linear_regressor import convert_sklearn_linear_regressor
from sklearn.pipeline import Pipeline

from pipeline.contract.onnx_model import INPUT, OUTPUTS
from pipeline.training import linear_models, onnx_steps
from pipeline.training.conformal import HalfWidth
from pipeline.training.gaussian_process import GaussianProcess

OPSET = {"": 17, "ai.onnx.ml": 3}
IR_VERSION = 8  # of ONNX's file format, the one that came with this OPSET

# skl2onnx looks a model up by its class, and does not know ours.
for _class in (linear_models.LinearRegression, linear_models.Ridge):
    update_registered_converter(
        _class, "SklearnLinearRegressor", calculate_linear_regressor_output_shapes, convert_sklearn_linear_regressor
    )


def to_onnx(pipeline: Pipeline, n_columns: int, half: HalfWidth, double: bool) -> onnx.ModelProto:
    """Return the graph of a fitted numeric pipeline: input `features` [rows, n_columns], outputs `prediction`, `lower`
    and `upper` [rows, 1], all in double precision.

    `double`: the model itself computes in double precision, too. Trees do not: they were fitted to float32.
    Names inside the graph are fixed, so that the same fit gives the same bytes.
    """
    fitted, target = pipeline[:-1], pipeline[-1]
    before, prepared = onnx_steps.preparation(fitted[0], INPUT)
    if not double:
        prepared = before.cast(prepared, onnx.TensorProto.FLOAT)
    width = fitted.transform(np.zeros((1, n_columns))).shape[1]
    model = _model(target.regressor_, prepared, width, double)
    graph = model.graph
    known = target.transformer_
    bounds = float(known.low), float(known.high)
    after = onnx_steps.answers(graph.output[0].name, known.unit_, known.offset_, bounds, half)
    nodes = [*before.nodes, *graph.node, *after.nodes]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*before.constants, *after.constants])
    graph.input.append(helper.make_tensor_value_info(INPUT, onnx.TensorProto.DOUBLE, [None, n_columns]))
    graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, [None, 1]) for name in OUTPUTS)
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(*each) for each in OPSET.items())
    onnx.checker.check_model(model)
    return model


def _model(fitted: Any, prepared: str, width: int, double: bool) -> onnx.ModelProto:
    """Return the graph of a fitted model alone, from `prepared` [rows, width] to its one output."""
    if isinstance(fitted, GaussianProcess):
        steps = onnx_steps.gaussian_process(fitted, prepared)
        output = helper.make_tensor_value_info(steps.nodes[-1].output[0], onnx.TensorProto.DOUBLE, [None, 1])
        graph = helper.make_graph(steps.nodes, "model", [], [output], steps.constants)
        return helper.make_model(graph, ir_version=IR_VERSION)
    _register_xgboost()
    kind = DoubleTensorType if double else FloatTensorType
    return convert_sklearn(fitted, "model", [(prepared, kind([None, width]))], target_opset=OPSET)


def _register_xgboost() -> None:
    # Only where the family is in use: importing xgboost takes longer than a linear fit.
    if "xgboost" not in sys.modules:
        return
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from xgboost import XGBRegressor

    update_registered_converter(
        XGBRegressor, "XGBoostXGBRegressor", calculate_linear_regressor_output_shapes, convert_xgboost, overwrite=True
    )
