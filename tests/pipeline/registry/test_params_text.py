"""The format of params.yaml after DVC's own way of writing it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from hypothesis import given
from hypothesis import strategies as st

from pipeline.registry.params_text import in_format_of
from tests.conftest import PATIENT, ROOT

SHIPPED = (ROOT / "params.yaml").read_text(encoding="utf-8")


def written_by_dvc(text: str, folder: Path, *overrides: str) -> str:
    """Return what `dvc exp run --set-param` makes of a file."""
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    apply_overrides(folder / "params.yaml", list(overrides))
    return (folder / "params.yaml").read_text(encoding="utf-8")


def test_dvc_changes_the_format(tmp_path: Path) -> None:
    """Even one override makes DVC write each list over several lines; the format comes back, with that one value."""
    written = written_by_dvc(SHIPPED, tmp_path, "train.families.ridge.alpha=[1,1e-7,50]")
    assert "alpha:\n      - 1\n" in written
    expected = SHIPPED.replace("alpha: [0.1, 1, 10, 100]", "alpha: [1, 1e-07, 50]")
    assert in_format_of(SHIPPED, written) == expected != SHIPPED


def test_values_keep_how_they_were_written(tmp_path: Path) -> None:
    """A value that is the same keeps its text, and a changed one keeps its comment; `null` and text with a comma stay
    what they are."""
    text = (
        "# top\na: [0.10, 2]  # both\nb: null # none\nc: 'x' # text\nd:\n  e: [] # empty\n  f: {}\n  g: [null, yes]\n"
    )
    written = written_by_dvc(text, tmp_path, "d.e=['p, q',null,'5']", "b=7")
    assert in_format_of(text, written) == text.replace("[]", "['p, q', null, '5']").replace("null # none", "7 # none")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [1, 3] # note\nb: 2\n", "a list in one line: DVC did not write it"),
        ("a: # other note\n- 1\nb: 2\n", "a comment was changed"),
        ("a: # note\n- 1\nb: 2\nc: 3\n", "a key more"),
        ("b: 2\na: # note\n- 1\n", "another order"),
        ("a: # note\n- 1\nb: |\n  two\n  lines\n", "text over several lines"),
        ("<<<<<<< ours\na: # note\n- 1\nb: 2\n", "a conflict"),
    ],
)
def test_what_a_person_wrote_stays(text: str, why: str) -> None:
    """A file that is not the committed one as DVC writes it is left alone."""
    found = in_format_of("a: [1, 2] # note\nb: 1\n", text)
    assert found is None or (why.startswith("text") and yaml.safe_load(found) == yaml.safe_load(text)), why


SCALARS = st.none() | st.booleans() | st.integers(-99, 99) | st.floats(0, 1e6) | st.text("ab ,:#'[]-1", max_size=5)
VALUES = st.dictionaries(st.sampled_from("vwxyz"), SCALARS | st.lists(SCALARS, max_size=3), min_size=1)


@PATIENT
@given(VALUES, st.data())
def test_the_values_are_those_that_dvc_wrote(content: dict[str, Any], data: st.DataObject) -> None:
    """Whatever the values, the result has the new ones and the committed format: a second pass changes nothing."""
    old = {"first": [1, 2], **content}
    new = {key: data.draw(SCALARS if key != "first" else st.just([1])) for key in old}
    committed = yaml.safe_dump(old, default_flow_style=None, sort_keys=False)
    result = in_format_of(committed, yaml.safe_dump(new, default_flow_style=False, sort_keys=False))
    if result is not None:
        assert repr(yaml.safe_load(result)) == repr(new)
        assert result.startswith("first: [1]\n")
