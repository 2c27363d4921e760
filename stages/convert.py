"""A fitted pipeline to an ONNX graph."""

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from skl2onnx import convert_sklearn, update_registered_converter
from skl2onnx.common.data_types import FloatTensorType
from sklearn.pipeline import Pipeline

OPSET = {"": 17, "ai.onnx.ml": 3}


def to_onnx(pipeline: Pipeline, n_features: int, half_width: float) -> onnx.ModelProto:
    """One float32 matrix `features` in; `prediction`, `lower`, `upper` out, each [rows, 1].

    Names inside the graph are fixed, so that the same fit gives the same bytes.
    """
    _register_xgboost()
    features = FloatTensorType([None, n_features])
    model = convert_sklearn(pipeline, "model", [("features", features)], target_opset=OPSET)
    graph = model.graph
    width = numpy_helper.from_array(np.array([half_width], dtype=np.float32), "half_width")
    graph.initializer.append(width)
    graph.node.extend(
        [
            helper.make_node("Reshape", [graph.output[0].name, "one_column"], ["prediction"]),
            helper.make_node("Sub", ["prediction", "half_width"], ["lower"]),
            helper.make_node("Add", ["prediction", "half_width"], ["upper"]),
        ]
    )
    graph.initializer.append(numpy_helper.from_array(np.array([-1, 1], dtype=np.int64), "one_column"))
    del graph.output[:]
    for name in ("prediction", "lower", "upper"):
        graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 1]))
    # skl2onnx lists the operator sets in the order of a Python set, which differs from process to process.
    imports = sorted(model.opset_import, key=lambda opset: opset.domain)
    del model.opset_import[:]
    model.opset_import.extend(imports)
    onnx.checker.check_model(model)
    return model


def _register_xgboost() -> None:
    import sys

    # Only where the family is in use: importing xgboost takes longer than a linear fit.
    if "xgboost" not in sys.modules:
        return
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from skl2onnx.common.shape_calculator import calculate_linear_regressor_output_shapes
    from xgboost import XGBRegressor

    options: dict[str, Any] = {"overwrite": True}
    update_registered_converter(
        XGBRegressor, "XGBoostXGBRegressor", calculate_linear_regressor_output_shapes, convert_xgboost, **options
    )
