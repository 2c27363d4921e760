"""The gate's verdicts, one line each."""

import pytest

from pipeline.contract.errors import PipelineError
from pipeline.registry import history


@pytest.mark.parametrize("line", ["3", "<<<<<<< HEAD"])
def test_a_line_that_is_no_verdict_is_named(tmp_path, line: str) -> None:
    """A line of the history that is no JSON object is an error with its number."""
    (tmp_path / "history.jsonl").write_text(f"{{}}\n{line}\n")
    with pytest.raises(PipelineError, match=f"line 2: expected one JSON object, found '{line}'"):
        history.read(tmp_path / "history.jsonl")


def test_history_only_grows(tmp_path) -> None:
    """A verdict is added below the others; a line torn by a kill spoils no later one and is named when read."""
    path = tmp_path / "history.jsonl"
    history.append({"verdict": "keep"}, path)
    history.append({"verdict": "promote"}, path)
    assert [entry["verdict"] for entry in history.read(path)] == ["keep", "promote"]
    path.write_text(path.read_text() + '{"verd')
    history.append({"verdict": "inconclusive"}, path)
    with pytest.raises(PipelineError, match="line 3: expected one JSON object"):
        history.read(path)
    assert path.read_text().splitlines()[3].endswith('"inconclusive"}')
