"""Training in parts: the answer of training in memory, whatever the parts and the workers, and whoever dies."""

from contextlib import nullcontext
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import Model
from pipeline.distributed.executor import Executor
from pipeline.tables import atomic_files, parquet, sampling
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training import onnx_export, parity, search
from pipeline.training.cross_validation import Rows
from pipeline.training.in_parts import fitting, out_of_fold
from pipeline.training.in_parts.learner import TrainingParts
from stages.train import fit
from tests.pipeline.training.homes import LIMITS, PARAMS
from tests.pipeline.training.in_parts.test_linear import PLAIN, cut, training_rows


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return training_rows(4000, 0.05)


def in_parts(run: Executor, table: pd.DataFrame, folder: Path, parts: int, family: str) -> tuple[fitting.Fitted, bytes]:
    """A fit of the table cut into parts, and its model file."""
    read = TrainingParts(run, cut(table, folder / "table", parts), PLAIN)
    found = fitting.fit(read, PARAMS, family, "sha", folder / "oof")
    served = onnx_export.served_form(found.pipeline, found.record, found.sample, PLAIN, found.training, 0.8, LIMITS)
    return found, served.content


@pytest.mark.parametrize("family", ["linear", "ridge"])
def test_parts_answer_as_memory_does(table: pd.DataFrame, tmp_path: Path, family: str) -> None:
    """Settings, indicators, cross-validated error, out-of-fold predictions and what the file says of the training rows
    are those of the fit in memory; the sums behind them are of all rows."""
    found, content = in_parts(Executor(), table, tmp_path, 3, family)
    pipeline, record = fit(table, PLAIN, PARAMS, family)
    assert (found.record.settings, found.record.indicators) == (record.settings, record.indicators)
    assert found.record.cv_rmse == pytest.approx(record.cv_rmse, rel=1e-10)
    assert found.record.cv_rmse_se == pytest.approx(record.cv_rmse_se, rel=1e-8)
    assert found.pipeline.predict(table) == pytest.approx(pipeline.predict(table), rel=1e-8)
    oof = parquet.read(tmp_path / "oof")
    assert oof["row"].tolist() == table["row"].tolist()
    assert oof["prediction"].to_numpy() == pytest.approx(record.out_of_fold, rel=1e-8)
    assert (oof["prediction"] + oof["residual"]).to_numpy() == pytest.approx(table["price"].to_numpy())
    described = onnx_export.describe_training(table["price"].to_numpy(float), "sha", record.cv_rmse)
    served = onnx_export.served_form(pipeline, record, table, PLAIN, described, 0.8, LIMITS).content
    ours, theirs = (Model(file, "m").description.training for file in (content, served))
    assert (ours.rows, ours.target_median) == (theirs.rows, theirs.target_median)
    assert ours.target_std == pytest.approx(theirs.target_std, rel=1e-12)
    matrix = to_matrix(table, PLAIN.features)
    assert Model(content, "m").predict(matrix) == pytest.approx(Model(served, "m").predict(matrix), rel=1e-5)


def test_a_large_table_is_judged_on_a_sample(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows that intervals are learned from are those of the smallest hashes, the same whatever the parts; all rows
    count for the cross-validated error."""
    monkeypatch.setattr("pipeline.tables.sampling.MAX_JUDGED_ROWS", 200)
    found = [in_parts(Executor(), table, tmp_path / str(parts), parts, "linear")[0] for parts in (1, 7)]
    wanted = table["row"].iloc[sampling.sample(table["row"], 200)].tolist()
    assert [each.sample["row"].tolist() for each in found] == [wanted, wanted]
    assert found[0].record.cv_rmse == pytest.approx(fit(table, PLAIN, PARAMS, "linear")[1].cv_rmse, rel=1e-10)


def test_settings_compete_on_a_sample(table: pd.DataFrame, tmp_path: Path) -> None:
    """The settings are those that win on train.search_rows rows, whatever the parts; the winner's error is of all."""
    params = msgspec.structs.replace(PARAMS, search_rows=300)
    sample = table.iloc[sampling.sample(table["row"], 300)]
    wanted = search.search(Rows.of(sample, PLAIN), None, PLAIN, params, "ridge", Executor())
    for number in (1, 4):
        parts = TrainingParts(Executor(), cut(table, tmp_path / str(number), number), PLAIN)
        found = fitting.fit(parts, params, "ridge", "sha", tmp_path / f"oof{number}").record
        assert (found.settings, found.indicators) == (wanted.settings, wanted.indicators)
        alone = msgspec.structs.replace(PARAMS, families={"ridge": {"alpha": [found.settings["alpha"]]}})
        assert found.cv_rmse == pytest.approx(fit(table, PLAIN, alone, "ridge")[1].cv_rmse, rel=1e-8)


def test_every_row_is_compared_with_the_served_form(table: pd.DataFrame, tmp_path: Path) -> None:
    """One row of one part for which the file answers otherwise than the fit is enough to refuse the file: here the one
    with a missing value, for which the fit has another one than the file."""
    found, content = in_parts(Executor(), table, tmp_path, 3, "linear")
    found.pipeline.named_steps["prepare"].named_transformers_["numbers"][0].statistics_[0] += 100
    whole = table.assign(area=table["area"].fillna(1))
    odd = whole.copy()
    odd.loc[odd.index[-1], "area"] = None
    for each, refused in ((whole, False), (odd, True)):
        parts = TrainingParts(Executor(), cut(each, tmp_path / str(refused), 3), PLAIN)
        gap = out_of_fold.largest_gap(parts, found.pipeline, content)
        answers = Model(content, "m").predict(to_matrix(each, PLAIN.features))[:, 0]
        assert gap == pytest.approx(np.abs(answers - found.pipeline.predict(each)).max())
        with pytest.raises(PipelineError, match="linear: ONNX and the") if refused else nullcontext():
            parity.check_gap(gap, "linear", found.training.target_std, LIMITS)


def test_a_family_that_needs_the_rows_says_so(table: pd.DataFrame, tmp_path: Path) -> None:
    """scikit-learn's forest cannot be grown on parts: one error with the ways out."""
    with pytest.raises(PipelineError, match=r"random_forest needs all training rows in memory: raise engine.in_memory"):
        in_parts(Executor(), table, tmp_path, 2, "random_forest")


def test_with_a_time_folds_go_forward(table: pd.DataFrame, tmp_path: Path) -> None:
    """With a time column the earliest fold is never held, and later ones are predicted from earlier ones alone."""
    schema = msgspec.structs.replace(
        PLAIN, columns=tuple(msgspec.structs.replace(c, role="time") if c.name == "built" else c for c in PLAIN.columns)
    )
    parts = TrainingParts(Executor(), cut(table, tmp_path, 3), schema)
    found = fitting.fit(parts, PARAMS, "ridge", "sha", tmp_path / "oof")
    record = fit(table, schema, PARAMS, "ridge")[1]
    held = parquet.read(tmp_path / "oof")["prediction"].to_numpy()
    assert np.array_equal(np.isnan(held), (table["fold"] == 0).to_numpy())
    np.testing.assert_allclose(held, record.out_of_fold, rtol=1e-8)
    assert found.record.cv_rmse == pytest.approx(record.cv_rmse, rel=1e-10)


def test_a_part_that_cannot_be_read_is_named(table: pd.DataFrame, tmp_path: Path) -> None:
    """A damaged part is one error with its name."""
    parts = TrainingParts(Executor(), cut(table, tmp_path, 3), PLAIN)
    atomic_files.write_bytes(parts.files[1], b"no Parquet")
    with pytest.raises(PipelineError, match=r"part-00001-00000.parquet is no readable Parquet file"):
        fitting.fit(parts, PARAMS, "ridge", "sha", tmp_path / "oof")
