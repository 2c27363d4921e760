"""The recipe of a model file: what is needed to fit the same kind of model again."""

from typing import NamedTuple, Self

import msgspec
import onnx
from onnx import numpy_helper
from sklearn.ensemble import VotingRegressor

from pipeline.contract.description import Member
from pipeline.contract.schema import Schema
from pipeline.training import families, shared_trees
from pipeline.training.onnx_export import read_description


class Recipe(NamedTuple):
    """The members of a model: one, or those of a blend."""

    schema: Schema
    members: tuple[Member, ...]

    def with_trees(self, most: int) -> Self:
        """Return the recipe with forests of at most so many trees."""
        return self._replace(members=tuple(_fewer(each, most) for each in self.members))

    def model(self, seed: int) -> VotingRegressor:
        """Return the unfitted model, from the matrix [rows, columns] to a prediction: the weighted mean of the members.

        Raises PipelineError where today's code does not know a family or a setting.
        """
        pipelines = [
            (str(place), families.numeric_pipeline(self.schema, each.family, seed, each.settings, each.indicators))
            for place, each in enumerate(self.members)
        ]
        return VotingRegressor(pipelines, weights=[each.weight for each in self.members])


def _fewer(member: Member, most: int) -> Member:
    trees = member.settings.get(shared_trees.TREES)
    if trees is None or not families.get(member.family).is_forest:
        return member
    return msgspec.structs.replace(member, settings={**member.settings, shared_trees.TREES: min(trees, most)})


def read(content: bytes) -> Recipe:
    """Read the recipe from the bytes of a model file that `pipeline.contract.onnx_model` has loaded."""
    model = onnx.load_model_from_string(content)
    about = read_description(model)
    of_format_1 = Member(about.family, about.settings, _indicators(model.graph, len(about.columns)))
    return Recipe(about.schema, about.members or (of_format_1,))


def _indicators(graph: onnx.GraphProto, n_features: int) -> tuple[int, ...]:
    """Return the places of the features that the graph of a file of format 1 tests with IsNaN.

    Its metadata does not hold them. Their columns are extracted first, unless all features are tested.
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
