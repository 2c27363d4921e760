"""The formats of a model file: what format 2 says of itself, and files of format 1, which are still read."""

import json
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest

from pipeline.contract.columns import matrix_columns, names_by_feature
from pipeline.contract.description import FORMAT, Member
from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import KEY, Model
from pipeline.gate import repeated_cv
from pipeline.tables.feature_matrix import to_matrix
from pipeline.tables.splitting import TEST, splits
from pipeline.training import recipe
from stages import evaluate
from stages.train import fit
from tests.api.conftest import serving
from tests.conftest import ROOT
from tests.houses import LIMITS as EVALUATE
from tests.pipeline.training.homes import GRIDS, HOMES, PARAMS, homes, serve

OLD = {
    "ridge": {"alpha": 10.0},
    "xgboost": {"n_estimators": 10, "max_depth": 3, "max_bin": 256},
}


def old(family: str) -> Path:
    return ROOT / f"tests/models/format1-{family}.onnx"


@pytest.mark.parametrize("family", GRIDS)
def test_a_file_says_what_it_is(family: str) -> None:
    """A file has format 2: `features` and the three answers are float64, and the metadata names the columns of each
    feature and the recipe, missing indicators included."""
    table, training = homes()
    pipeline, record = fit(table, HOMES, PARAMS, family)
    served, model = serve(pipeline, record, training)
    session = onnxruntime.InferenceSession(served.content)
    assert [(each.name, each.type) for each in session.get_inputs()] == [("features", "tensor(double)")]
    assert [each.type for each in session.get_outputs()] == ["tensor(double)"] * 3
    about = model.description
    assert about.format == FORMAT == 2
    assert about.matrix == names_by_feature(HOMES.features)
    assert about.members == (Member(family, record.settings, record.indicators, 1.0),)
    assert recipe.read(served.content) == (HOMES, about.members)


def test_the_columns_of_a_feature() -> None:
    """Each feature has one matrix column of its own name, a date one for each of its parts; training and serving take
    them from one place."""
    parts = [f"sold.{part}" for part in ("year", "month", "weekday", "hour", "yearday", "days")]
    names = [each.name for each in matrix_columns(HOMES.features)]
    assert names == ["area", "rooms", *parts, "garden", "street", "built"]
    assert names_by_feature(HOMES.features)["street"] == ("street",)
    assert names_by_feature(HOMES.features)["sold"] == tuple(parts)


@pytest.mark.parametrize("family", OLD)
def test_a_file_of_format_1_is_read(family: str) -> None:
    """A file of format 1 answers its golden rows as it did when it was made, is judged, and has its recipe: family,
    settings and missing indicators."""
    model = Model.load(old(family))
    model.verify()
    assert model.description.format == 1
    table, training = homes()
    test = table[table["fold"] == TEST]
    answers = model.predict(to_matrix(test, model.description.columns))
    assert np.isfinite(answers).all()
    assert evaluate.judge(model, test, answers, EVALUATE).metrics["rmse"] > 0
    found = recipe.read(old(family).read_bytes())
    assert found == (model.description.schema, (Member(family, OLD[family], (0, 1, 2, 3)),))
    matrix, target = to_matrix(training, found.schema.features), training["price"].to_numpy(float)
    repetitions = [splits(training["fold"].to_numpy(), HOMES)]
    assert (repeated_cv.squared_errors([found.model(0)], matrix, target, repetitions) > 0).all()


@pytest.mark.parametrize("family", OLD)
def test_a_file_of_format_1_is_served(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server answers by a file of format 1 what the file's golden rows say."""
    monkeypatch.chdir(tmp_path)
    about = Model.load(old(family)).description
    assert about.golden
    with serving(tmp_path, model_path=old(family)) as client:
        body = dict(zip(about.features, about.golden.features[0], strict=True))
        body |= {"street": about.columns[3].categories[int(body["street"] or 0)], "garden": body["garden"] == 1}
        answer = client.post("/predict", json=body).json()
        assert [answer[name] for name in ("prediction", "lower", "upper")] == pytest.approx(about.golden.outputs[0])
        assert client.get("/metadata").json()["settings"] == OLD[family]


def test_a_later_format_is_refused() -> None:
    """A file of a format that this version does not know is refused with its number, not read by half."""
    graph = onnx.load(old("ridge"))
    text = json.loads(graph.metadata_props[0].value) | {"format": 3}
    del graph.metadata_props[:]
    graph.metadata_props.add(key=KEY, value=msgspec.json.encode(text).decode())
    with pytest.raises(PipelineError, match="m has format 3, and this version reads formats up to 2"):
        Model(graph.SerializeToString(), "m")
