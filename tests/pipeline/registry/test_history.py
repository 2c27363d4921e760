"""The gate's verdicts, one line each."""

import pytest

from pipeline.contract.errors import PipelineError
from pipeline.registry import history


def test_wear_counts_other_files_on_the_same_split() -> None:
    """Distinct challengers that met a champion on these rows count; the same file again, first models, a champion
    against itself, other splits and promotions do not."""
    line = {"test": "t", "champion": "c", "rmse_current": 1.0, "verdict": "keep"}
    lines = [
        {**line, "challenger": "a"},
        {**line, "challenger": "a"},
        {**line, "challenger": "b"},
        {**line, "challenger": "mine"},
        {**line, "challenger": "c"},
        {**line, "challenger": "d", "test": "u"},
        {**line, "challenger": "e", "champion": None, "rmse_current": None},
        {"promoted": "a", "forced": False},
    ]
    assert history.earlier(lines, "t", "mine") == 2
    assert history.earlier(lines, "t", "a") == 2
    assert history.earlier([], "t", "a") == 0


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
