"""The soak: a server under load while everything around it fails."""

import numpy as np
import pytest

from bench import soak
from tests.conftest import Project


@pytest.mark.slow
def test_nothing_acknowledged_is_lost(reproduced: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """In three minutes every kind of fault was made, no acknowledged prediction is lost, no answer is a 5xx but a
    documented 503, and nothing that is expected of the server is missed."""
    monkeypatch.chdir(reproduced.folder)
    found = {check.what: check for check in soak.run(3)}
    assert all(name in found["faults"].found for name in ("swap", "locked", "gone", "full", "killed", "silent"))
    assert found["acknowledged predictions that are not in the log"].met
    assert found["5xx but a documented 503"].met
    assert [check for check in found.values() if check.met is False] == []


@pytest.mark.parametrize(("growth", "flat"), [(0.0, True), (2.0, False)])
def test_growth_is_told_from_noise(growth: float, flat: bool) -> None:
    """A slope within its error is flat; one beyond it is not, and memory that a process gives back is no fault."""
    hours = np.arange(20) / 100
    noise = np.random.default_rng(1).normal(0, 1, 20)
    samples = np.column_stack([hours, 100 + growth * np.arange(20) + noise, np.full(20, 30)])
    memory, files = soak._growth(samples)
    assert (memory.met, files.met) == (flat, True)
