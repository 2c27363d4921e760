"""How a stage starts: without looking for garbage in its imports, and with that on for its work."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

STATE = "print(gc.isenabled(), gc.get_freeze_count() > 0)"


@pytest.mark.parametrize("argument", ["-m", "a_notebook.py"])
def test_garbage_is_collected_during_the_work(argument: str) -> None:
    """The collector is off while a stage's command is imported, on while it works, and what was imported is left out of
    it; a program that imports the package keeps its own collector."""
    script = f"""
import gc, sys
sys.argv = [{argument!r}]
from stages import errors
{STATE}
errors.run(lambda: {STATE})
"""
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = "False False" if argument == "-m" else "True False"
    assert run.stdout.splitlines() == [imported, "True True"]
