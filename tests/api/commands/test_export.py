"""The export: logged predictions as live rows that the drift check reads."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
import yaml
from litestar.testing import TestClient

from api.app import create_app
from api.commands import erase, export
from api.settings import Settings
from pipeline.contract.errors import PipelineError
from pipeline.contract.params import load
from pipeline.drift import live_folder
from pipeline.drift.live_rows import of_folder
from pipeline.tables.feature_matrix import to_matrix
from stages.drift import compare
from tests.api.conftest import COLUMNS, Example, log_url, row
from tests.api.http.test_predict import bodies
from tests.conftest import ROOT


@pytest.fixture
def logged(example: Example, tmp_path: Path) -> list[str]:
    """A log of 60 rows of the table, the first with a corrected actual value; the ids."""
    sent = bodies(example, example.table.head(60))
    with TestClient(create_app(Settings(example.path, prediction_log_url=log_url(tmp_path)))) as client:
        ids = [answer["id"] for answer in client.post("/predict/batch", json=sent).json()]
        for actual in (5, 7.5):
            client.post("/feedback", json={"id": ids[0], "actual": actual})
    return ids


class Project(NamedTuple):
    """A folder with the schema and the log, in which commands run."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def run(self, command: Any, *arguments: str) -> str:
        """What the command printed."""
        self.monkeypatch.setattr(sys, "argv", ["", *arguments])
        command.main()
        return self.capsys.readouterr().out


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    source = {"origin": "generated", "licence": "none"}
    text = yaml.safe_dump({"version": 1, "source": source, "columns": COLUMNS}, sort_keys=False, allow_unicode=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/schema.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREDICTION_LOG_URL", log_url(tmp_path))
    return Project(tmp_path, monkeypatch, capsys)


def test_exported_rows_are_what_was_sent(example: Example, tmp_path: Path, project: Project, logged: list[str]) -> None:
    """Live rows have the features as sent, and the latest feedback as target. A second run changes nothing."""
    assert project.run(export) == f"{tmp_path}/data/live/predictions.parquet: 60 rows, 1 with the actual value\n"
    again = subprocess.run(
        [sys.executable, "-m", "api.commands.export"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    assert b": 60 rows" in again.stdout
    assert [path.name for path in (tmp_path / "data/live").iterdir()] == ["predictions.parquet"]
    live = pd.concat(list(of_folder(tmp_path / "data/live", example.schema).batches()))
    wanted = example.table.head(60)
    pd.testing.assert_frame_equal(
        pd.DataFrame(to_matrix(live, example.schema.features)), pd.DataFrame(to_matrix(wanted, example.schema.features))
    )
    whole = pd.read_parquet(tmp_path / "data/live/predictions.parquet")
    assert list(whole["prediction_id"]) == logged
    assert whole["price"].dropna().to_dict() == {0: 7.5}
    report = compare(example.table, live, example.schema, load("drift", ROOT / "params.yaml"))
    assert len(report["features"]) == len(example.schema.features)
    assert report["n_live"] == 60


def test_a_window_has_its_rows_alone(example: Example, tmp_path: Path, project: Project, logged: list[str]) -> None:
    """Rows from the first moment to before the last are exported; with none there is an empty table."""
    assert ": 60 rows" in project.run(export, "--since", "2020-01-01", "--until", "2999-01-01T00:00+02:00")
    assert ": 0 rows" in project.run(export, "--since", "2020-01-01", "--until", "2021-01-01")
    assert sum(map(len, of_folder(tmp_path / "data/live", example.schema).batches())) == 0
    with pytest.raises(PipelineError, match="expected a date"):
        project.run(export, "--since", "yesterday")
    project.monkeypatch.setenv("PREDICTION_LOG_URL", "sqlite:///nowhere.db")
    with pytest.raises(PipelineError, match=r"there is no prediction log at nowhere\.db"):
        project.run(export)


def test_rows_kept_elsewhere_come_back(project: Project, logged: list[str]) -> None:
    """With LIVE_URL, which fsspec reads, the export goes there, and `ops.fetch_live` brings it whole to data/live."""
    project.run(export)
    here = pd.read_parquet("data/live/predictions.parquet")
    shutil.rmtree("data/live")
    for url in (f"{project.folder}/elsewhere", "memory://bucket/elsewhere"):
        project.monkeypatch.setenv("LIVE_URL", url)
        with pytest.raises(PipelineError, match=r"there is no predictions\.parquet"):
            live_folder.fetch(live_folder.url())
        assert project.run(export) == f"{url}/predictions.parquet: 60 rows, 1 with the actual value\n"
        assert not (project.folder / "data/live").exists()
        live_folder.fetch(live_folder.url())
        assert f"bytes from {url}" in project.capsys.readouterr().out
        pd.testing.assert_frame_equal(pd.read_parquet("data/live/predictions.parquet"), here)
        shutil.rmtree("data/live")
    project.monkeypatch.setenv("LIVE_URL", "nosuch://bucket")
    with pytest.raises(PipelineError, match="LIVE_URL: expected a folder or a URL that fsspec knows"):
        project.run(export)


def test_many_rows_are_typed_in_parts(project: Project, logged: list[str]) -> None:
    """The size of a part does not show in the result."""
    exported = []
    for size in (10_000, 20):
        project.monkeypatch.setattr(export, "_CHUNK", size)
        project.run(export)
        exported.append(pd.read_parquet("data/live/predictions.parquet"))
    pd.testing.assert_frame_equal(*exported)


def test_the_erase_command(project: Project, logged: list[str]) -> None:
    """It says how much it erased; an unknown id is an error."""
    assert project.run(erase, logged[0]).startswith("erased: 1 predictions, 2 feedback values;")
    with pytest.raises(PipelineError, match="no prediction in the log has the id"):
        project.run(erase, logged[0])
    assert ": 59 rows, 0 with" in project.run(export)


def test_an_own_id_is_exported(example: Example, tmp_path: Path, project: Project) -> None:
    """The id column is exported as it was sent, so that live rows can become training rows; ignored columns are not."""
    with TestClient(create_app(Settings(example.path, prediction_log_url=log_url(tmp_path)))) as client:
        client.post("/predict", json=row(listing="L-1", note="private"))
    project.run(export)
    whole = pd.read_parquet(tmp_path / "data/live/predictions.parquet")
    assert list(whole["listing id"]) == ["L-1"]
    assert "note" not in whole
