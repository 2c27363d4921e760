"""The gate through its real command, in projects of their own: every situation, its line and its exit code."""

import re

import pandas as pd
import pytest
import yaml

from tests.conftest import WEAK, Project
from tests.ops.gating import EVALUATION, gate, history


def test_a_better_model_is_promoted(challenged: Project) -> None:
    """A challenger that is better beyond doubt exits 0 against the champion of the last commit, with every check, each
    kind of evidence, and the wear of the split; asking twice is a line each and no wear."""
    lines = challenged.ops("gate").stdout.splitlines()
    assert lines[0].startswith("RMSE new: ")
    assert lines[0].endswith("| promote")
    said = "\n".join(lines)
    for name in ("skill", "superior", "leak", "coverage", "servable", "slices", "schema_compatibility"):
        assert f"  pass  {name} " in said
    assert "have judged 0 other models before: tested at alpha 0.025" in said
    for evidence in ("test rows", "out of fold", "all rows"):
        assert f"  {evidence}  " in said
    assert "% lower RMSE" in said
    assert challenged.ops("gate", "--md").stdout.startswith(f"**{lines[0]}**")
    first, again = history(challenged)[-2:]
    assert {**first, "time": ""} == {**again, "time": ""}
    champion = yaml.safe_load(challenged.path("models/champion.onnx.dvc").read_text())["outs"][0]["md5"]
    assert (first["verdict"], first["champion"], first["earlier"]) == ("promote", champion, 0)
    assert (first["looks"], len(first["row_sketch"])) == ([], 8 * 128)
    assert first["evidence"]["all rows"]["n"] > 4 * first["n"]
    assert set(first["checks"].values()) == {True}


@pytest.mark.slow
def test_a_worse_model_is_kept_out_and_wears_the_split(challenged: Project) -> None:
    """The other way round the weak model is kept out (exit 3), the champion is equal to itself (exit 3), and the next
    challenger on the same rows is tested harder."""
    challenged.ops("gate")
    challenged.ops("registry", "promote")
    challenged.commit("a good champion")
    assert gate(challenged, code=3)["checks"]["superior"] is False
    challenged.edit_params(lambda p: p["train"].update(families=WEAK))
    challenged.dvc("repro")
    said = challenged.ops("gate", code=3).stdout
    assert said.splitlines()[0].endswith("| keep")
    assert "worse beyond doubt" in said
    # The good model met the weak champion on these rows; the champion against itself was no test.
    assert re.search(r"have judged 1 other model before \([0-9a-f]{8}\): tested at alpha 0\.0083", said)


def test_a_first_model_needs_floors_and_the_server(reproduced: Project) -> None:
    """Without a champion the model is promoted when it is good enough and servable: no recorded metric of the revision
    is needed, and nothing is compared."""
    found = gate(reproduced, code=0)
    assert (found["rmse_current"], found["champion"]) == (None, None)
    assert set(found["checks"]) == {"skill", "leak", "coverage", "servable"}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("skill", {"min_skill": 0.99}),
        ("max_rmse", {"max_rmse": 0.5}),
        ("superior", {"min_improvement": 0.99}),
        ("coverage", {"coverage_tolerance": 0, "alpha": 0.999}),
    ],
)
def test_each_check_can_fail_alone(challenged: Project, name: str, changes: dict[str, float]) -> None:
    """A better model with one check that fails keeps the champion: exit 3, and the check is named."""
    challenged.edit_params(lambda content: content["gate"].update(changes))
    found = gate(challenged, code=3)
    assert [check for check, passed in found["checks"].items() if not passed] == [name]
    assert name in found["reason"]
    assert history(challenged)[-1]["checks"] == found["checks"]


def test_the_gate_shows_what_dvc_metrics_diff_shows(challenged: Project) -> None:
    """The table in the verdict's Markdown has the cells of `dvc metrics diff`, where the recorded RMSEs are those that
    the gate checked; the report has it once."""
    printed = cells(challenged.dvc("metrics", "diff", "--md").stdout)
    assert printed[0] == ["Path", "Metric", "HEAD", "workspace", "Change"]
    said = challenged.ops("gate", "--md").stdout
    shown = cells(said.partition("<details>")[2])
    assert (shown[0], sorted(shown[2:])) == (printed[0], sorted(printed[2:]))
    found = history(challenged)[-1]
    [row] = [row for row in shown if row[:2] == [EVALUATION, "rmse"]]
    assert [float(row[2]), float(row[3])] == pytest.approx([found["rmse_current"], found["rmse_new"]], abs=1e-5)
    report = cells(challenged.ops("report", "--base", "HEAD").stdout)
    assert len([row for row in report if row[:2] == [EVALUATION, "rmse"]]) == 1


def cells(text: str) -> list[list[str]]:
    """The rows of the Markdown tables in a text."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]


def test_the_evidence_can_be_the_test_split_alone(challenged: Project) -> None:
    """`gate.evidence: test` fits nothing again and decides by the test rows."""
    challenged.edit_params(lambda content: content["gate"].update(evidence="test"))
    assert list(gate(challenged, code=0)["evidence"]) == ["test rows"]
    assert not challenged.path(".cache").exists()


def test_labelled_live_rows_are_test_rows(challenged: Project) -> None:
    """Rows of data/live with a target that no model has seen join the test rows, and rows of the raw table do not."""
    alone = gate(challenged, code=0)
    raw = pd.read_csv(challenged.path("data/raw/housing.csv"))
    fresh = raw.head(40).assign(LSTAT=raw["LSTAT"].head(40) + 0.001)
    pd.concat([raw.tail(30), fresh]).to_csv(challenged.path("data/live/rows.csv"), index=False)
    found = gate(challenged, code=0)
    assert found["n"] == alone["n"] + 40
    assert "40 labelled live rows that neither model has seen count as test rows." in found["notes"]
    assert found["earlier"] == 0


def test_non_inferior_without_a_time(challenged: Project) -> None:
    """--policy overrides gate.policy; without a time column all rows must be better, and the verdict says so."""
    found = gate(challenged, "--policy", "non_inferior", code=0)
    assert "superior" in found["checks"]
    assert "no time column" in " ".join(found["notes"])


@pytest.mark.slow
def test_changed_data_and_a_narrower_schema(challenged: Project) -> None:
    """Both models are scored on today's split after the rows and the schema changed, and the recorded RMSE is not used;
    the schema compatibility check alone fails, and --allow-schema-change lifts it. The earlier verdict still counts."""
    earlier = gate(challenged, code=0)["challenger"]
    raw = challenged.path("data/raw/housing.csv")
    raw.write_text("\n".join(raw.read_text().splitlines()[:-20]) + "\n")
    schema = challenged.path("data/schema.yaml")
    content = yaml.safe_load(schema.read_text())
    content["columns"]["RM"]["max"] = 9
    schema.write_text(yaml.safe_dump(content, sort_keys=False))
    challenged.dvc("repro")
    found = gate(challenged, code=3)
    assert [check for check, passed in found["checks"].items() if not passed] == ["schema_compatibility"]
    assert "is of another model or test split" in " ".join(found["notes"])
    assert "learned from two training files" in " ".join(found["notes"])
    assert list(found["evidence"]) == ["test rows"]
    assert (found["earlier"], found["looks"]) == (1, [earlier])
    assert f"have judged 1 other model before ({earlier[:8]})" in challenged.ops("gate", code=3).stdout
    assert gate(challenged, "--allow-schema-change", code=0)["verdict"] == "promote"
