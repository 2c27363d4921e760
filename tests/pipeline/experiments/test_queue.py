"""DVC's queue, as a sweep asks it."""

import pytest

from pipeline.contract.errors import PipelineError
from pipeline.experiments import queue


def test_a_queue_that_cannot_be_read_once_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """`dvc queue status` may meet a record that a worker is writing; a sweep ends on its third failure in a row."""
    answers = [PipelineError("half a record"), PipelineError("half a record"), "Worker status: 1 active, 0 idle"]

    def dvc(*arguments: str) -> str:
        answer = answers.pop(0)
        if isinstance(answer, str):
            return answer
        raise answer

    monkeypatch.setattr(queue, "dvc", dvc)
    monkeypatch.setattr(queue.time, "sleep", lambda seconds: None)
    assert queue.status() == "Worker status: 1 active, 0 idle"
    answers[:] = [PipelineError(str(number)) for number in range(4)]
    with pytest.raises(PipelineError, match="2"):
        queue.status()
    assert len(answers) == 1
