"""The served form of a blend: one file that predicts the weighted mean of its members' fits."""

from functools import lru_cache

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest

from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import INPUT, OUTPUTS, Model
from pipeline.gate import repeated_cv
from pipeline.tables.feature_matrix import to_matrix
from pipeline.tables.splitting import TEST
from pipeline.training import blend, onnx_blend, parity, recipe
from pipeline.training.conformal import Curve, HalfWidth
from pipeline.training.onnx_export import Served, read_description
from pipeline.training.selection import Selection
from stages.train import fit
from tests.pipeline.training.homes import GRIDS, HOMES, LIMITS, PARAMS, homes, serve

WEIGHTS = dict(zip(GRIDS, (0.1, 0.1, 0.2, 0.3, 0.3), strict=True))
SIZE = Curve(np.array([50.0, 200.0]), np.array([30.0, 60.0]))
HALF = HalfWidth(SIZE, Curve(np.array([5.0, 15.0, 40.0]), np.array([0.5, 1.0, 1.2])))


@lru_cache
def fits():
    """The fit and the served form of each family."""
    table, training = homes()
    found = {family: fit(table, HOMES, PARAMS, family) for family in GRIDS}
    return {family: (pipeline, serve(pipeline, record, training)[0]) for family, (pipeline, record) in found.items()}


def blended(half: HalfWidth = HALF, **changed: Served) -> Served:
    members = {family: served for family, (_, served) in fits().items()} | changed
    return onnx_blend.blended_form(members, Selection(WEIGHTS, 3.0, 0.1, np.zeros(0), half), homes()[1], LIMITS)


@pytest.mark.parametrize("half", [HALF, HalfWidth(SIZE)])
def test_the_blend_is_the_weighted_mean_of_the_fits(half: HalfWidth) -> None:
    """The file answers rows that it never saw, with missing cells and categories, as the fitted members' weighted mean,
    within 1e-5 of the target's standard deviation, and with the interval's half-width at the prediction and the
    members' disagreement; the gap that it states is not exceeded. Equal members give equal bytes."""
    table, training = homes()
    served = blended(half)
    model = Model(served.content, "a blend")
    model.verify()
    test = to_matrix(table[table["fold"] == TEST], HOMES.features)
    rows = np.vstack([test, parity.extremes(test)])
    alone = np.column_stack([pipeline[1:].predict(rows) for pipeline, _ in fits().values()])
    mean, disagreement = blend.combine(alone, np.array(list(WEIGHTS.values())))
    prediction, lower, upper = model.predict(rows).T
    gap = np.abs(prediction - mean).max()
    assert gap < 1e-5 * training["price"].std()
    assert gap <= served.max_abs_diff
    assert upper - prediction == pytest.approx(half.at(mean, disagreement), rel=1e-4)
    assert prediction - lower == pytest.approx(half.at(mean, disagreement), rel=1e-4)
    assert blended(half).content == served.content


def test_the_file_describes_the_blend() -> None:
    """The description names the family `blend`, and of each member its family, settings and weight; the members' own
    intervals are not in the graph."""
    content = blended().content
    about = Model(content, "a blend").description
    assert (about.family, about.settings, about.training.cv_rmse) == ("blend", {}, 3.0)
    assert about.interval.method.endswith("disagreement of the members")
    assert {member.family: member.weight for member in about.members} == WEIGHTS
    assert about.members[1].settings in [{"alpha": alpha} for alpha in GRIDS["ridge"]["alpha"]]
    assert all(about.imputed == Model(each.content, "m").description.imputed for _, each in fits().values())
    outputs = [name for node in onnx.load_model_from_string(content).graph.node for name in node.output]
    assert [name for name in outputs if name.endswith("lower")] == ["lower"]


def test_predictions_stay_inside_the_bounds() -> None:
    """A prediction and its interval are inside the target's bounds."""
    graphs = {family: onnx.load_model_from_string(served.content) for family, (_, served) in fits().items()}
    graph = onnx_blend.merged(graphs, np.array(list(WEIGHTS.values())), (60.0, 150.0), HALF)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    answers = session.run(OUTPUTS, {INPUT: to_matrix(homes()[1], HOMES.features)})
    assert (np.min(answers), np.max(answers)) == (60, 150)


def test_members_of_other_rows_are_refused() -> None:
    """A member that was trained on other rows is an error that names it and the way out."""
    graph = onnx.load_model_from_string(fits()["ridge"][1].content)
    about = read_description(graph)
    other = msgspec.structs.replace(about, training=msgspec.structs.replace(about.training, sha256="other"))
    stale = Served(onnx_blend.described(graph, other), 0.0)
    with pytest.raises(PipelineError, match=r"xgboost and ridge were trained on different rows .* run `dvc repro`"):
        blended(ridge=stale)


def test_a_blend_is_fitted_again_from_its_file() -> None:
    """The recipe of the file, fitted to the same rows, predicts what the file predicts; the gate cross-validates it."""
    _, training = homes()
    content = blended().content
    again = recipe.read(content)
    matrix, target = to_matrix(training, HOMES.features), training["price"].to_numpy(float)
    model = again.model(PARAMS.seed).fit(matrix, target)
    assert model.predict(matrix) == pytest.approx(Model(content, "a blend").predict(matrix)[:, 0], rel=1e-4)
    errors = repeated_cv.squared_errors([again.model(0)], matrix, target, repeated_cv.repeated(training, HOMES)[:1])
    assert (errors > 0).all()
