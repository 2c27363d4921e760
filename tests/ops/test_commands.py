"""Rules that every command of ops/ keeps."""

import importlib
from pathlib import Path

import pytest

from pipeline.contract.errors import PipelineError
from tests.conftest import ROOT

COMMANDS = sorted(path.stem for path in (ROOT / "ops").glob("*.py") if path.stem != "__init__")
# What a command needs beside its name.
ARGUMENTS = {"registry": ["promote"], "report": ["--base", "HEAD"], "schema": ["check"]}


def call(monkeypatch: pytest.MonkeyPatch, name: str, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", [name, *arguments])
    importlib.import_module(f"ops.{name}").main()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--help` prints how the command is called, and the first sentence of its module."""
    with pytest.raises(SystemExit) as ended:
        call(monkeypatch, name, "--help")
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith(f"usage: python -m ops.{name} ")
    assert (importlib.import_module(f"ops.{name}").__doc__ or "").splitlines()[0] in said


@pytest.mark.parametrize("name", COMMANDS)
def test_another_folder_is_refused(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a folder that is not the project's, a command says so and writes nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIVE_URL", str(tmp_path))
    with pytest.raises(PipelineError, match="run this from the project's folder"):
        call(monkeypatch, name, *ARGUMENTS.get(name, []))
    assert not list(tmp_path.iterdir())
