"""DVC's queue of experiments: put a sweep in, wait until it is done, or take it out again."""

import re
import subprocess
import sys
import tempfile
import time

from pipeline.contract.errors import PipelineError
from pipeline.registry import module_runner

JOBS = 2
POLL = 3  # seconds; asking DVC takes one of computing
# So many answers in a row that there is no worker mean that they were killed, and not that they are still starting.
PATIENCE = 10
ASKED = 3  # times, until a failure counts


def enqueue(sweep: str, settings: list[str]) -> None:
    """Put the experiments into DVC's queue; their names begin with `sweep`.

    Raises PipelineError with what DVC says against the settings.
    """
    overrides = [part for setting in settings for part in ("--set-param", setting)]
    # DVC sets the workspace's changes aside while it queues, and brings them back at its end: let it come to that.
    dvc("exp", "run", "--queue", "--name", sweep, *overrides, shielded=True)


def wait(sweep: str) -> None:
    """Return when no experiment of `sweep` is queued or running; say when one ends.

    Raises PipelineError where the workers of the queue are gone before.
    """
    told: set[str] = set()
    silent = 0
    while True:
        status = queue_status()
        states = experiment_states(status, sweep)
        ended = {name for name, state in states.items() if state in ("Success", "Failed")}
        for name in sorted(ended - told):
            told.add(name)
            print(f"{name}: {states[name].lower()} ({len(told)} of {len(states)})", flush=True)
        if len(ended) == len(states):
            return
        silent = silent + 1 if "0 active, 0 idle" in status else 0
        if silent == PATIENCE:
            raise PipelineError("the workers of DVC's queue are gone (killed, or out of memory): run the sweep again")
        time.sleep(POLL)


def give_up(sweep: str) -> None:
    """Interrupt what runs of `sweep`, and take all of it that has no result out of the queue."""
    while True:
        left = {name: state for name, state in experiment_states(queue_status(), sweep).items() if state != "Success"}
        if not left:
            return
        for name, state in left.items():
            # An interrupt: `--force` would leave the stage running. One that began or ended in the meantime is refused
            # here and met in the next round.
            command = ("queue", "kill" if state == "Running" else "remove", name)
            module_runner.capture("dvc", *command)


def queue_status() -> str:
    """What `dvc queue status` prints. DVC writes its records in place, and one that is being written makes it fail: it
    is asked again then."""
    for _ in range(ASKED - 1):
        try:
            return dvc("queue", "status")
        except PipelineError:
            time.sleep(1)
    return dvc("queue", "status")


def experiment_states(status: str, sweep: str) -> dict[str, str]:
    """The state of each experiment of `sweep` in what `dvc queue status` prints."""
    return dict(re.findall(rf"(?m)^\w+ +({sweep}\S*) .* (\w+) *$", status))


def dvc(*arguments: str, shielded: bool = False) -> str:
    """What the DVC beside this interpreter prints; `shielded` from the signals that end this command.

    Through files, for a pipe would stay open as long as the workers that DVC starts, and break when this command ends.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "dvc", *arguments], stdout=out, stderr=said, start_new_session=shielded
        )
        try:
            process.wait()
        finally:
            code = process.wait()
        out.seek(0)
        said.seek(0)
        if code:
            raise PipelineError(f"`dvc {' '.join(arguments)}` failed: {said.read().strip()}")
        return out.read()
