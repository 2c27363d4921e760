"""The export: logged predictions as live rows that the drift check reads."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from api.commands import erase, export
from api.keys import parse
from pipeline.contract.errors import PipelineError
from pipeline.contract.params import load
from pipeline.drift import live_folder
from pipeline.drift.live_rows import of_folder
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training.onnx_export import with_rows
from stages.drift import compare
from tests.api.conftest import COLUMNS, JSON, Example, log_url, row, serving
from tests.api.http.test_predict import bodies
from tests.conftest import ROOT

Run = Callable[..., str]


@pytest.fixture
def logged(example: Example, tmp_path: Path) -> list[str]:
    """A log of 60 rows of the table, the first with a corrected actual value, by the key `crm`; the ids."""
    sent = bodies(example, example.table.head(60))
    with serving(tmp_path, model_path=example.path, api_keys=parse(["crm:predict+feedback:secret"])) as client:
        client.headers["X-API-Key"] = "secret"
        ids = [answer["id"] for answer in client.post("/predict/batch", json=sent).json()]
        for actual in (5, 7.5):
            client.post("/feedback", json={"id": ids[0], "actual": actual})
    return ids


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in a folder with the schema and the log; return its output."""
    source = {"origin": "generated", "licence": "none"}
    text = yaml.safe_dump({"version": 1, "source": source, "columns": COLUMNS}, sort_keys=False, allow_unicode=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/schema.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREDICTION_LOG_URL", log_url(tmp_path))

    def run_command(command: Any, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["", *arguments])
        command.main()
        return capsys.readouterr().out

    return run_command


def test_exported_rows_are_what_was_sent(
    example: Example, tmp_path: Path, run: Run, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live rows have the features as sent, and the latest feedback as target. A second run, with parts of another size,
    changes nothing."""
    monkeypatch.setattr(export, "_CHUNK", 20)
    assert run(export) == f"{tmp_path}/data/live/predictions.parquet: 60 rows, 1 with the actual value\n"
    whole = pd.read_parquet("data/live/predictions.parquet")
    command, variables = [sys.executable, "-m", "api.commands.export"], {**os.environ, "PYTHONPATH": str(ROOT)}
    assert b": 60 rows" in subprocess.run(command, env=variables, capture_output=True, check=True).stdout
    assert [path.name for path in Path("data/live").iterdir()] == ["predictions.parquet"]
    pd.testing.assert_frame_equal(pd.read_parquet("data/live/predictions.parquet"), whole)
    live = pd.concat(list(of_folder(tmp_path / "data/live", example.schema).batches()))
    exported, sent = (to_matrix(table, example.schema.features) for table in (live, example.table.head(60)))
    np.testing.assert_array_equal(exported, sent)
    assert list(whole["prediction_id"]) == logged
    assert whole["price"].dropna().to_dict() == {0: 7.5}
    assert whole["feedback_key"].dropna().to_dict() == {0: "crm"}
    report = compare(example.table, live, example.schema, load("drift", ROOT / "params.yaml"))
    assert len(report["features"]) == len(example.schema.features)
    assert report["n_live"] == 60


def test_a_window_has_its_rows_alone(
    example: Example, tmp_path: Path, run: Run, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows from the first moment to before the last are exported; with none there is an empty table."""
    assert ": 60 rows" in run(export, "--since", "2020-01-01", "--until", "2999-01-01T00:00+02:00")
    assert ": 0 rows" in run(export, "--since", "2020-01-01", "--until", "2021-01-01")
    assert sum(map(len, of_folder(tmp_path / "data/live", example.schema).batches())) == 0
    with pytest.raises(PipelineError, match="expected a date"):
        run(export, "--since", "yesterday")
    monkeypatch.setenv("PREDICTION_LOG_URL", "sqlite:///nowhere.db")
    with pytest.raises(PipelineError, match=r"there is no prediction log at nowhere\.db"):
        run(export)


def test_rows_kept_elsewhere_come_back(
    tmp_path: Path, run: Run, logged: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With LIVE_URL, which fsspec reads, the export goes there, and `ops.fetch_live` brings it whole to data/live."""
    run(export)
    here = pd.read_parquet("data/live/predictions.parquet")
    shutil.rmtree("data/live")
    for url in (f"{tmp_path}/elsewhere", "memory://bucket/elsewhere"):
        monkeypatch.setenv("LIVE_URL", url)
        with pytest.raises(PipelineError, match=r"there is no predictions\.parquet"):
            live_folder.fetch(live_folder.url())
        assert run(export) == f"{url}/predictions.parquet: 60 rows, 1 with the actual value\n"
        assert not (tmp_path / "data/live").exists()
        live_folder.fetch(live_folder.url())
        assert f"bytes from {url}" in capsys.readouterr().out
        pd.testing.assert_frame_equal(pd.read_parquet("data/live/predictions.parquet"), here)
        shutil.rmtree("data/live")
    monkeypatch.setenv("LIVE_URL", "nosuch://bucket")
    with pytest.raises(PipelineError, match="LIVE_URL: expected a folder or a URL that fsspec knows"):
        run(export)


def test_the_erase_command(run: Run, logged: list[str], example: Example, tmp_path: Path) -> None:
    """It says how much it erased and which model files hold training rows; an unknown id is an error."""
    training = example.table.head(7)
    content = with_rows(example.path.read_bytes(), training.head(3), training)
    (tmp_path / "models/candidates").mkdir(parents=True)
    (tmp_path / "models/champion.onnx").write_bytes(content)
    (tmp_path / "models/candidates/damaged.onnx").write_bytes(content[:1000])
    found = run(erase, logged[0])
    assert found.startswith("erased: 1 predictions, 2 feedback values;")
    assert re.search(r"models/champion.onnx: \d+ golden rows, 3 background rows, 7 comparables\n", found)
    assert "models/candidates/damaged.onnx could not be read" in found
    assert "docs/operations.md" in found
    with pytest.raises(PipelineError, match="no prediction in the log has the id"):
        run(erase, logged[0])
    assert ": 59 rows, 0 with" in run(export)


def test_no_row_stops_the_export(example: Example, tmp_path: Path, run: Run) -> None:
    """A row that was answered is exported, whatever a field that is no feature holds: an integer of 5,000 digits, or a
    list as deep as the server could read."""
    sys.setrecursionlimit(1000)  # Python's own, as a server has it
    with serving(tmp_path, model_path=example.path) as client:
        rows = [
            f'[{json.dumps(row())[:-1]}, "{name}": {value}}}]'
            for value in ("9" * 5000, *("[" * depth + "]" * depth for depth in range(900, 1000, 2)))
            for name in ("note", "listing id")
        ]
        taken = [client.post("/predict/batch", content=content, headers=JSON).status_code for content in rows]
    assert set(taken) == {200, 400}
    assert f": {taken.count(200)} rows, 0 with" in run(export)


def test_an_own_id_is_exported(example: Example, tmp_path: Path, run: Run) -> None:
    """The id column is exported as it was sent, so that live rows can become training rows; ignored columns are not."""
    with serving(tmp_path, model_path=example.path) as client:
        client.post("/predict", json=row(listing="L-1", note="private"))
    run(export)
    whole = pd.read_parquet(tmp_path / "data/live/predictions.parquet")
    assert list(whole["listing id"]) == ["L-1"]
    assert "note" not in whole
