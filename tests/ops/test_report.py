"""The report on a pull request: its text, and the workflow's own steps run as they are."""

import os
import re
from pathlib import Path

import pytest
import yaml

from ops import report
from tests.conftest import ROOT, Project


def test_the_chart_puts_the_best_family_first() -> None:
    """The chart is a fenced mermaid block: a bar a family from the lowest RMSE up, and a line for what was before. A
    family that the base does not have leaves the line out, for it needs a figure for each bar."""
    lines = report.chart({"ridge": 5.5, "xgboost": 3.5}, {"ridge": 5.0, "xgboost": 3.0}).splitlines()
    assert lines[:2] == ["```mermaid", "xychart-beta"]
    assert '    x-axis ["xgboost", "ridge"]' in lines
    assert "    bar [3, 5]" in lines
    assert "    line [3.5, 5.5]" in lines
    assert lines[-1] == "| ridge | 5.500 | 5.000 |"
    drawn = report.chart({"ridge": 5.5, "xgboost": None}, {"ridge": 5.0, "xgboost": 3.0})
    assert "line [" not in drawn
    assert "| xgboost | not defined | 3.000 |" in drawn


def test_a_report_is_no_verdict(challenged: Project) -> None:
    """The report shows the gate's verdict and adds no line to the history: it counts against no test split."""
    history = challenged.path("metrics/history.jsonl")
    before = history.read_text()
    said = challenged.ops("report", "--base", "HEAD").stdout
    assert re.search(r"\*\*RMSE new: .* \| promote\*\*", said)
    assert history.read_text() == before


@pytest.mark.slow
def test_the_workflow_reports_a_changed_parameter(reproduced: Project, tmp_path: Path) -> None:
    """The steps of the job `report`, run as the workflow says, summarise what a branch changes."""
    summary = tmp_path / "summary.md"
    steps = yaml.safe_load((ROOT / ".github/workflows/mlops.yml").read_text())["jobs"]["report"]["steps"]
    runs = [step["run"] for step in steps if "run" in step and not step["run"].startswith("gh ")]
    assert runs
    # No second installation: `make venv` keeps an environment that is of the same lock.
    reproduced.path(".venv").symlink_to(ROOT / ".venv")
    reproduced.run("git", "switch", "-q", "-c", "base")
    reproduced.run("git", "switch", "-q", "-c", "change")
    reproduced.edit_params(lambda p: p["train"]["families"]["ridge"].update(alpha=[5]))
    reproduced.commit("Try another penalty")
    reproduced.env |= {"BASE": "base", "GITHUB_STEP_SUMMARY": os.fspath(summary)}
    for run in runs:
        reproduced.run("bash", "-ec", run)
    text = summary.read_text(encoding="utf-8")
    assert text == reproduced.path("report/summary.md").read_text(encoding="utf-8")
    assert text.startswith("## Compared with `base` (")
    assert "train.families.ridge.alpha" in text
    assert "RMSE new:" in text
    assert "metrics/train/ridge.json" in text
    assert "```mermaid\nxychart-beta" in text
    assert "**insufficient** (0 live rows" in text
    assert reproduced.path("report/plots/index.html").exists()
    assert not reproduced.path("metrics/history.jsonl").exists()
