"""Champions that cannot be judged on today's rows."""

import pandas as pd
import pytest

from pipeline.contract.column import Column
from pipeline.contract.errors import PipelineError
from pipeline.gate import comparable
from tests.conftest import Project
from tests.tables import make_schema

CHAMPION = make_schema(
    Column("area", "float"),
    Column("street", "category", categories=("north", "south")),
    Column("price", "float", role="target"),
)
TABLE = pd.DataFrame({"area": [1.0, 2, 3], "street": ["north", None, "west"]})


@pytest.mark.parametrize(
    ("table", "target", "reason"),
    [
        (TABLE, "rent", "it predicts price, the new model rent"),
        (TABLE.drop(columns="area"), "price", "it needs area, which today's rows do not have"),
    ],
)
def test_a_champion_of_another_table(table: pd.DataFrame, target: str, reason: str) -> None:
    """A champion with another target or with features that are gone is refused, with the commands that begin anew."""
    with pytest.raises(PipelineError, match=rf"X cannot be compared: {reason}; .* `rm -f models/champion\.onnx\.dvc "):
        comparable.check_columns(CHAMPION, "X", table, target)


def test_rows_with_a_category_that_the_champion_does_not_know() -> None:
    """They are marked, a missing value is known, and a table without any known row is refused."""
    comparable.check_columns(CHAMPION, "X", TABLE, "price")
    assert comparable.known_rows(CHAMPION, "X", TABLE).tolist() == [True, True, False]
    with pytest.raises(PipelineError, match="every row holds a category that it does not know"):
        comparable.known_rows(CHAMPION, "X", TABLE.tail(1))


def test_the_schema_of_a_commit(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The features of a commit's models are those of its schema without features.exclude; a schema that today's code
    cannot read tells nothing."""
    monkeypatch.chdir(project.folder)
    project.edit_params(lambda content: content["features"].update(exclude=["B"]))
    project.commit()
    found = comparable.schema_at("HEAD")
    assert found
    assert {"B", "LSTAT"} - {column.name for column in found.features} == {"B"}
    project.path("data/schema.yaml").write_text("version: 0\n")
    project.commit()
    assert comparable.schema_at("HEAD") is None
