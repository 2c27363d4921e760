"""A sweep in DVC's queue of experiments: put it in, wait until it is done, or take it out again."""

import re
import time

from pipeline.contract.errors import PipelineError
from pipeline.registry import module_runner

JOBS = 2
POLL = 3  # seconds; one answer of DVC takes a second of computing
# Answers in a row without a worker, until the workers count as killed: at first they are still starting.
PATIENCE = 10
TRIES = 3  # of one question to DVC, until its failure counts


def enqueue(sweep: str, settings: list[str]) -> None:
    """Put the experiments into DVC's queue; their names begin with `sweep`.

    Raises PipelineError with DVC's message where it refuses the settings.
    """
    overrides = [part for setting in settings for part in ("--set-param", setting)]
    # DVC sets the workspace's changes aside while it queues, and brings them back at its end: no signal may stop it.
    dvc("exp", "run", "--queue", "--name", sweep, *overrides, own_session=True)


def wait(sweep: str) -> None:
    """Return when no experiment of `sweep` is queued or running; print a line when one ends.

    Raises PipelineError where the workers of the queue are gone before.
    """
    told: set[str] = set()
    silent = 0
    while True:
        answer = status()
        states = experiment_states(answer, sweep)
        ended = {name for name, state in states.items() if state in ("Success", "Failed")}
        for name in sorted(ended - told):
            told.add(name)
            print(f"{name}: {states[name].lower()} ({len(told)} of {len(states)})", flush=True)
        if len(ended) == len(states):
            return
        silent = silent + 1 if "0 active, 0 idle" in answer else 0
        if silent == PATIENCE:
            raise PipelineError("the workers of DVC's queue are gone (killed, or out of memory): run the sweep again")
        time.sleep(POLL)


def remove(sweep: str) -> None:
    """Interrupt the experiments of `sweep` that run, and take all of it that has no result out of the queue."""
    while True:
        left = {name: state for name, state in experiment_states(status(), sweep).items() if state != "Success"}
        if not left:
            return
        for name, state in left.items():
            # An interrupt: `--force` would leave the stage running. DVC refuses what began or ended meanwhile; the next
            # round meets it in its new state.
            module_runner.capture("dvc", "queue", "kill" if state == "Running" else "remove", name)


def status() -> str:
    """Return what `dvc queue status` prints; ask again where it fails, for DVC may be writing what it reads."""
    for _ in range(TRIES - 1):
        try:
            return dvc("queue", "status")
        except PipelineError:
            time.sleep(1)
    return dvc("queue", "status")


def experiment_states(answer: str, sweep: str) -> dict[str, str]:
    """Return the state of each experiment of `sweep` by its name, from what `dvc queue status` prints."""
    return dict(re.findall(rf"(?m)^\w+ +({sweep}\S*) .* (\w+) *$", answer))


def dvc(*arguments: str, own_session: bool = False) -> str:
    """Return what a DVC command prints. Raises PipelineError with its message where it fails."""
    done = module_runner.capture("dvc", *arguments, own_session=own_session)
    if done.returncode:
        raise PipelineError(f"`dvc {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout
