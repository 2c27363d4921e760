"""The workers of Dask: of this machine, and what is said where there are none."""

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
