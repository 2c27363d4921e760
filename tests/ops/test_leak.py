"""A table whose features add up to the target, from raw rows to the gate."""

import numpy as np
import pandas as pd
import yaml

from tests.conftest import Project
from tests.ops.gating import gate, history
from tests.test_other_tables import replace_table

SCHEMA = {
    "version": 1,
    "source": {"origin": "made up", "licence": "none"},
    "columns": {
        "casual": {"dtype": "int", "min": 0},
        "registered": {"dtype": "int", "min": 0},
        "count": {"dtype": "int", "min": 0, "role": "target"},
    },
}


def test_parts_that_add_up_to_the_target(project: Project) -> None:
    """Select and the card ask whether a feature is made from the target, the gate fails its check `leak` and says that
    there is still no champion, and the model is promoted with force alone."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame({"casual": generator.integers(0, 400, 200), "registered": generator.integers(0, 900, 200)})
    replace_table(project, table.assign(count=table.sum(axis=1)), SCHEMA)
    project.edit_params(lambda content: content["train"].update(families={"linear": {}}))
    said = project.dvc("repro").stdout
    asked = "is a feature made from the target?"
    assert f"linear: out-of-fold R² is 1.00000: {asked}" in said
    limits = project.path("models/model_card.md").read_text(encoding="utf-8").split("## Limits")[1]
    assert asked in limits
    project.commit("another table")
    found = gate(project, code=3)
    # The residuals are rounding, and so are the intervals.
    assert [name for name, passed in found["checks"].items() if not passed] == ["leak", "coverage"]
    assert found["reason"] == "There is still no champion: leak, coverage failed."
    assert history(project)[-1]["checks"]["leak"] is False
    assert "expected 'promote'" in project.ops("registry", "promote", code=1).stderr
    assert "promoted: " in project.ops("registry", "promote", "--force").stdout
    assert yaml.safe_load(project.path("models/champion.onnx.dvc").read_text())["outs"]
