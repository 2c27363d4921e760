"""The server with no other files than those of the container image, and the README's first request."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import joblib
import pandas as pd
import pytest

from tests.api.conftest import Example, row
from tests.api.model.test_reloader import put
from tests.api.test_server import Server
from tests.conftest import ROOT, Project


def test_the_files_of_the_image_are_enough(example: Example, tmp_path: Path) -> None:
    """With only the files that the Dockerfile copies the server answers and shows its page and documentation."""
    for line in re.findall(r"(?m)^COPY (?!--from|requirements/|models/)(.+)$", (ROOT / "Dockerfile").read_text()):
        *sources, target = line.split()
        for source in sources:
            place = tmp_path / target / Path(source).name if target.endswith("/") else tmp_path / target
            place.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, place)
    put(tmp_path / "models/champion.onnx", example)
    with Server(tmp_path, PYTHONPATH=str(tmp_path)) as server:
        assert httpx.post(f"{server.url}/predict", json=row()).status_code == 200
        for path in ("/", "/docs"):
            shown = httpx.get(f"{server.url}{path}")
            assert shown.status_code == 200
            for used in re.findall(r'(?:src|href)="(static/[^"]+)"', shown.text):
                assert httpx.get(f"{server.url}/{used}").status_code == 200
        assert "Promoted" in httpx.get(server.url).text


@pytest.mark.slow
def test_the_curl_of_the_readme(reproduced: Project) -> None:
    """The README's request is answered with the prediction of the scikit-learn pipeline."""
    [command] = re.findall(r"(?ms)^\$ (curl .*?)\n\{", (ROOT / "README.md").read_text())
    with Server(reproduced.folder, PYTHONPATH=str(reproduced.folder)) as server:
        shown = command.replace("http://127.0.0.1:8000", server.url)
        done = subprocess.run(["bash", "-c", shown], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    [body] = re.findall(r"-d '(.*)'", command)
    family = json.loads(reproduced.path("metrics/select.json").read_text())["family"]
    pipeline = joblib.load(reproduced.path(f"models/candidates/{family}.joblib"))
    table = pd.DataFrame([json.loads(body)]).astype({"CHAS": "boolean"})
    assert answer["prediction"] == pytest.approx(float(pipeline.predict(table)[0]), abs=1e-3)
    assert answer["imputed"] == []
