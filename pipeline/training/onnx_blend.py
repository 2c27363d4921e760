"""The served form of a blend: one ONNX graph of its members' model files. No member is fitted again."""

import numpy as np
import onnx
import pandas as pd
from msgspec.structs import replace
from onnx import compose, helper, utils

from pipeline.contract.description import Description, Interval
from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import INPUT, OUTPUTS, Model
from pipeline.contract.params import Select
from pipeline.tables import digits, sampling
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training import onnx_steps, parity
from pipeline.training.conformal import HalfWidth
from pipeline.training.onnx_converters import OPSET
from pipeline.training.onnx_export import Served, described, read_description, with_golden
from pipeline.training.onnx_steps import Steps
from pipeline.training.selection import BLEND, Selection
from pipeline.training.target import bounds

PROBES = 1_000  # rows on which a blend's file is compared with those of its members


def blended_form(members: dict[str, Served], selected: Selection, sample: pd.DataFrame, limits: Select) -> Served:
    """Return one model file of the members of a blend; its gap is theirs and its own together, at most.

    `members`: the model file of each family in `selected.weights`. `sample`: training rows.
    Raises PipelineError where the members were not trained on the same rows, and as `served_form`.
    """
    assert selected.half is not None
    graphs = {family: onnx.load_model_from_string(member.content) for family, member in members.items()}
    abouts = {family: read_description(graph) for family, graph in graphs.items()}
    # Its imputed values stand for all: others differ only where a member learned from a sample of the rows.
    main = abouts[max(selected.weights, key=lambda family: selected.weights[family])]
    _check_same_rows(abouts, main)
    weights = np.array([selected.weights[family] for family in members])
    graph = merged(graphs, weights, bounds(main.schema.target), selected.half)
    description = replace(
        main,
        family=BLEND,
        settings={},
        interval=Interval(main.interval.level, selected.half.method),
        training=replace(main.training, cv_rmse=selected.cv_rmse),
        members=tuple(replace(abouts[family].members[0], weight=selected.weights[family]) for family in members),
    )
    matrix = to_matrix(sample.iloc[sampling.sample(sample["row"], PROBES)], main.columns)
    gap = _gap(members, weights, described(graph, description), matrix)
    parity.check_gap(gap, BLEND, main.training.target_std, limits)
    assert main.golden is not None
    content = with_golden(graph, description, np.array(main.golden.features, dtype=float), limits)
    return Served(content, digits.power_of_ten_above(gap, main.training.target_std))


def merged(
    members: dict[str, onnx.ModelProto], weights: np.ndarray, limits: tuple[float, float], half: HalfWidth
) -> onnx.ModelProto:
    """Return the graph of a blend: that of a model file without its description. `weights` [members] have the sum 1.

    A member's own interval is left out.
    """
    steps, parts = Steps("blend"), [_prediction(name, model) for name, model in members.items()]
    predictions = steps.add("Concat", *(part.graph.output[0].name for part in parts), axis=1)
    mean, disagreement = steps.add("MatMul", predictions, weights[:, None]), ""
    if half.factor is not None:
        gaps = steps.add("Sub", predictions, mean)
        disagreement = steps.add("Sqrt", steps.add("MatMul", steps.add("Mul", gaps, gaps), weights[:, None]))
    answers = onnx_steps.answers(mean, 1.0, 0.0, limits, half, disagreement)
    graph = helper.make_graph(
        [*(node for part in parts for node in part.graph.node), *steps.nodes, *answers.nodes],
        "blend",
        parts[0].graph.input,
        [helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, [None, 1]) for name in OUTPUTS],
        [*(each for part in parts for each in part.graph.initializer), *steps.constants, *answers.constants],
    )
    opsets = [helper.make_opsetid(*each) for each in OPSET.items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=max(part.ir_version for part in parts))
    onnx.checker.check_model(model)
    return model


def _prediction(name: str, model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the part of a member's graph that makes its prediction; all names but the input's begin with `name`."""
    alone = utils.Extractor(model).extract_model([INPUT], OUTPUTS[:1])
    part = compose.add_prefix(alone, f"{name}_")
    for node in part.graph.node:
        node.input[:] = [INPUT if each == part.graph.input[0].name else each for each in node.input]
    part.graph.input[0].name = INPUT
    return part


def _gap(members: dict[str, Served], weights: np.ndarray, content: bytes, matrix: np.ndarray) -> float:
    """Return how far predictions of a blend's file are at most from those of the members' fits, in the target's unit:
    how far they are from the weighted mean of the members' files on the rows of `matrix`, and the members' own gaps."""
    together = Model(content, "the blend").predict(matrix)[:, 0]
    alone = [Model(member.content, family).predict(matrix)[:, 0] for family, member in members.items()]
    own = np.dot([member.max_abs_diff for member in members.values()], weights)
    return float(np.abs(together - np.column_stack(alone) @ weights).max() + own)


def _check_same_rows(abouts: dict[str, Description], main: Description) -> None:
    for family, about in abouts.items():
        if (about.schema, about.training.sha256) != (main.schema, main.training.sha256):
            raise PipelineError(
                f"models/candidates: {main.family} and {family} were trained on different rows or features; run "
                "`dvc repro`, which trains again what is out of date"
            )
