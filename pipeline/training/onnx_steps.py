"""The steps of an ONNX graph around its model: the preparation of the features before it, the answers behind it; and
those of a model that no library converts well.

They compute in double precision, and do what the fitted pipeline does with the same numbers in the same order.
"""

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder

from pipeline.training.conformal import Curve, HalfWidth
from pipeline.training.gaussian_process import GaussianProcess
from pipeline.training.preprocessing import imputed_values, unencoded_columns


class Steps:
    """Nodes in the order of computation, and their constants; names are numbered, so that equal fits give equal bytes.

    `prefix` begins each name.
    """

    def __init__(self, prefix: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._prefix = prefix

    def add(self, operator: str, *inputs: str | np.ndarray | float, name: str = "", **attributes: Any) -> str:
        """Add an operator on the outputs of others, given by name, and on constants; return its output's name."""
        output = name or f"{self._prefix}_{len(self.nodes)}"
        names = [each if isinstance(each, str) else self._constant(np.asarray(each)) for each in inputs]
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def cast(self, values: str, to: int) -> str:
        return self.add("Cast", values, to=to)

    def _constant(self, value: np.ndarray) -> str:
        name = f"{self._prefix}_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name


def preparation(fitted: ColumnTransformer, features: str) -> tuple[Steps, str]:
    """Return the steps from the matrix `features` to what a fitted preparation makes of it, and the result's name."""
    steps = Steps("prepared")
    missing = steps.add("IsNaN", features)
    known = steps.add("Where", missing, imputed_values(fitted)[None], features)
    blocks = []
    unencoded = unencoded_columns(fitted)
    if len(unencoded.positions):
        block = _columns(steps, known, unencoded.positions)
        if (skewed := unencoded.unit > 0).any():
            shares = steps.add("Div", steps.add("Relu", block), np.where(skewed, unencoded.unit, 1.0)[None])
            block = steps.add("Where", skewed[None], steps.add("Log", steps.add("Add", shares, 1.0)), block)
        if unencoded.centre.any():
            block = steps.add("Sub", block, unencoded.centre[None])
        if (unencoded.scale != 1).any():
            block = steps.add("Div", block, unencoded.scale[None])
        blocks.append(block)
    for kind, step, positions in fitted.transformers_:
        if kind == "categories" and isinstance(step[-1], OneHotEncoder):
            codes = step[-1].categories_
            each = _columns(steps, known, np.repeat(positions, [len(some) for some in codes]))
            is_one = steps.add("Equal", each, np.concatenate(codes).astype(float)[None])
            blocks.append(steps.cast(is_one, onnx.TensorProto.DOUBLE))
        elif kind == "missing":
            blocks.append(steps.cast(_columns(steps, missing, positions), onnx.TensorProto.DOUBLE))
    return steps, steps.add("Concat", *blocks, axis=1) if len(blocks) > 1 else blocks[0]


def gaussian_process(model: GaussianProcess, prepared: str) -> Steps:
    """Return the steps from prepared features to a fit's prediction [rows, 1]: the last output.

    The runtime computes once, as it loads the file, what depends on constants alone.
    """
    steps = Steps("process")
    points = steps.add("Cast", model.points_.T, to=onnx.TensorProto.DOUBLE)
    rows = steps.add("Mul", prepared, model.inverse_lengths_[None])
    # |row - point|^2 is |row|^2 + |point|^2 - 2 row point; rounding may leave less than 0.
    product = steps.add("MatMul", rows, steps.add("Mul", points, -2.0))
    sizes = [steps.add("ReduceSumSquare", each, axes=[axis]) for each, axis in ((rows, 1), (points, 0))]
    squared = steps.add("Relu", steps.add("Add", steps.add("Add", product, sizes[1]), sizes[0]))
    distance = steps.add("Sqrt", squared)
    kernel = steps.add("Mul", steps.add("Add", distance, 1.0), steps.add("Exp", steps.add("Neg", distance)))
    mean = steps.add("Add", steps.add("MatMul", kernel, model.weights_[:, None]), float(model.centre_))
    if model.log_target:
        steps.add("Exp", mean)
    return steps


def answers(
    raw: str, unit: float, offset: float, bounds: tuple[float, float], half: HalfWidth, disagreement: str = ""
) -> Steps:
    """Return the steps from a model's output to `prediction`, `lower` and `upper` [rows, 1], inside the `bounds`.

    The output is in this `unit`; `offset` is added to it. `disagreement`: the name of the members', for a half-width
    that depends on it.
    """
    steps = Steps("answer")
    column = steps.add("Reshape", steps.cast(raw, onnx.TensorProto.DOUBLE), np.array([-1, 1], dtype=np.int64))
    if unit != 1:
        column = steps.add("Mul", column, unit)
    if offset:
        column = steps.add("Add", column, offset)
    prediction = steps.add("Clip", column, *bounds, name="prediction")
    width = _curve(steps, prediction, half.size)
    if half.factor is not None:
        width = steps.add("Mul", width, _curve(steps, disagreement, half.factor))
    steps.add("Clip", steps.add("Sub", prediction, width), *bounds, name="lower")
    steps.add("Clip", steps.add("Add", prediction, width), *bounds, name="upper")
    return steps


def _curve(steps: Steps, places: str, curve: Curve) -> str:
    """Add the values of a curve: its first one plus a sum of ramps, of which one starts at each knot but the last; its
    weight is the change of slope there."""
    # One more knot behind the last, at the same value: a single knot has no slope.
    knots = np.append(curve.knots, curve.knots[-1] + max(1.0, abs(curve.knots[-1])))
    slopes = np.diff(np.append(curve.values, curve.values[-1])) / np.diff(knots)
    inside = steps.add("Clip", places, float(knots[0]), float(knots[-1]))
    ramps = steps.add("Relu", steps.add("Sub", inside, knots[:-1]))
    rise = steps.add("MatMul", ramps, np.diff(slopes, prepend=0)[:, None])
    return steps.add("Add", rise, float(curve.values[0]))


def _columns(steps: Steps, matrix: str, positions: Any) -> str:
    return steps.add("Gather", matrix, np.asarray(positions, dtype=np.int64), axis=1)
