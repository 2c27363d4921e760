"""How a stage starts: without looking for garbage in its imports, and with the workers' process on its way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages import ahead
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


@pytest.mark.skipif(ahead.METHOD != "forkserver", reason="Dask's workers are forked on Linux alone")
@pytest.mark.parametrize(
    ("engine", "address", "begun"),
    [
        ("name: dask", None, True),
        ("name: dask", "tcp://127.0.0.1:9", False),
        ("name: pandas", None, False),
        ("name: [", None, False),
    ],
)
def test_workers_are_on_their_way_before_the_libraries(
    tmp_path: Path, engine: str, address: str | None, begun: bool
) -> None:
    """The process that Dask's workers fork from starts without pandas, where a command will have workers of its own;
    with the pandas engine, a scheduler elsewhere or unreadable parameters it does not."""
    content = (ROOT / "params.yaml").read_text().replace("name: pandas", engine)
    (tmp_path / "params.yaml").write_text(content)
    script = """
import sys
from multiprocessing import forkserver
from stages import ahead
ahead.start()
print(forkserver._forkserver._forkserver_pid is not None, "pandas" in sys.modules)
"""
    env = {name: value for name, value in os.environ.items() if name != ahead.ADDRESS}
    env |= {"PYTHONPATH": str(ROOT)} | ({ahead.ADDRESS: address} if address else {})
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert run.stdout == f"{begun} False\n", run.stderr


def test_stages_with_work_for_workers_start_them_before_their_imports() -> None:
    """A stage that starts an engine says so before anything else, and no other stage does."""
    found = {path.stem: path.read_text() for path in (ROOT / "stages").glob("*.py")}
    first = 'if __name__ == "__main__":\n    from stages import ahead'
    early = {name for name, text in found.items() if text.split('"""\n', 1)[1].strip().startswith(first)}
    assert early == {name for name, text in found.items() if "engine.start(" in text} == {"clean", "train"}
