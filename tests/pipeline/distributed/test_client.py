"""The workers of Dask: of this machine, and what is said where there are none."""

import subprocess
import sys

import msgspec
import pytest

from pipeline.contract import params
from pipeline.contract.errors import PipelineError
from pipeline.distributed import client, executor
from tests.conftest import ROOT

SETTINGS = msgspec.structs.replace(params.load("engine", ROOT / "params.yaml"), name="dask")


def test_dask_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Dask installed the error says how to install it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(PipelineError, match=r"pip install '\.\[scale\]'"), executor.start(SETTINGS):
        pass


def test_a_scheduler_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler that does not answer is one error with its address, within seconds."""
    monkeypatch.setenv(client.ADDRESS, "tcp://127.0.0.1:9")
    monkeypatch.setattr(client, "TIMEOUT", 1)
    with pytest.raises(PipelineError, match=r"tcp://127\.0\.0\.1:9 does not answer"), executor.start(SETTINGS):
        pass


def test_the_dashboard_is_made_when_it_is_opened() -> None:
    """Its address is printed and leads to the page with its plots, also a second time; until somebody opens it, the
    library that draws it is not imported; the workers go on."""
    script = """
import sys
from urllib.request import urlopen
from pipeline.distributed.client import connect
with connect(0.2) as client:
    print(client.dashboard_link, "bokeh" in sys.modules)
    pages = [urlopen(client.dashboard_link).url for _ in range(2)]
    from bokeh.client import pull_session
    session = pull_session(url=pages[1])
    print(len(set(pages)), len(session.document.roots) > 1, client.submit(pow, 2, 5).result())
    session.close()
"""
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    said, link, drawn = run.stdout.splitlines()
    assert said.endswith(link.removesuffix(" False"))
    assert (link.split()[1], drawn) == ("False", "1 True 32")
