"""The recipe of a model file: what is needed to fit the same kind of model again."""

from typing import Any, NamedTuple

import msgspec
import onnx
from onnx import numpy_helper
from sklearn.pipeline import Pipeline

from pipeline.contract.onnx_model import KEY, Description
from pipeline.contract.schema import Schema
from pipeline.training import families


class Recipe(NamedTuple):
    """A family with its settings; `indicators` are the places of the features with a missing indicator."""

    schema: Schema
    family: str
    settings: dict[str, Any]
    indicators: tuple[int, ...]

    def pipeline(self, seed: int) -> Pipeline:
        """Return the unfitted pipeline, from the matrix [rows, features] to a prediction.

        Raises PipelineError where today's code does not know the family or a setting.
        """
        return families.numeric_pipeline(self.schema.features, self.family, seed, self.settings, self.indicators)


def read(content: bytes) -> Recipe:
    """Read the recipe from the bytes of a model file that `pipeline.contract.onnx_model` has loaded."""
    model = onnx.load_model_from_string(content)
    text = next(entry.value for entry in model.metadata_props if entry.key == KEY)
    about = msgspec.json.decode(text, type=Description)
    return Recipe(about.schema, about.family, about.settings, _indicators(model.graph, len(about.columns)))


def _indicators(graph: onnx.GraphProto, n_features: int) -> tuple[int, ...]:
    """Return the places of the features that the graph tests with IsNaN, as `IsMissing` is converted.

    The metadata of format 1 does not hold them. Their columns are extracted first, unless all features are tested.
    """
    constants = {each.name: each for each in graph.initializer}
    extracted = {
        node.output[0]: numpy_helper.to_array(constants[node.input[1]])
        for node in graph.node
        if node.op_type == "ArrayFeatureExtractor" and node.input[1] in constants
    }
    for node in graph.node:
        if node.op_type == "IsNaN":
            return tuple(int(place) for place in extracted.get(node.input[0], range(n_features)))
    return ()
