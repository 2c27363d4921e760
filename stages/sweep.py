"""Sweep: one DVC experiment for each combination of some settings, and the name of the best of them.

    python -m stages.sweep ['train.families.ridge.alpha=[1],[10],[100]' ...]

The best has the lowest cross-validated RMSE of its selected model, never the lowest on the test split. Experiments run
in DVC's queue, in folders of their own, so that the workspace stays as it is. What else is in the queue runs too.
"""

import argparse
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stages import errors, leaderboard
from stages.errors import PipelineError

# Depths that params.yaml does not try, at the learning rates that it does.
SETTINGS = ["train.families.xgboost.max_depth=[2],[3],[5]", "train.families.xgboost.learning_rate=[0.05],[0.1]"]
JOBS = 2
POLL = 3  # seconds; asking DVC takes one of computing
# So many answers in a row that there is no worker mean that they were killed, and not that they are still starting.
PATIENCE = 10
ASKED = 3  # times, until a failure counts


def queue(sweep: str, settings: list[str]) -> None:
    """Put the experiments into DVC's queue; their names begin with `sweep`.

    Raises PipelineError with what DVC says against the settings.
    """
    overrides = [part for setting in settings for part in ("--set-param", setting)]
    # DVC sets the workspace's changes aside while it queues, and brings them back at its end: let it come to that.
    _dvc("exp", "run", "--queue", "--name", sweep, *overrides, shielded=True)


def wait(sweep: str) -> None:
    """Return when no experiment of `sweep` is queued or running; say when one ends.

    Raises PipelineError where the workers of the queue are gone before.
    """
    told: set[str] = set()
    silent = 0
    while True:
        status = _status()
        states = _states(status, sweep)
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
        left = {name: state for name, state in _states(_status(), sweep).items() if state != "Success"}
        if not left:
            return
        for name, state in left.items():
            # An interrupt: `--force` would leave the stage running. One that began or ended in the meantime is refused
            # here and met in the next round.
            command = ("queue", "kill" if state == "Running" else "remove", name)
            subprocess.run([sys.executable, "-m", "dvc", *command], capture_output=True, check=False)


def main() -> None:
    settings = _arguments().settings or SETTINGS
    sweep = f"sweep-{secrets.token_hex(2)}"
    # DVC looks up `dvc` on PATH to start its workers.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    # A shell's background ignores SIGINT; workers that inherited it could not be interrupted.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    try:
        queue(sweep, settings)
        print(f"{len(_states(_status(), sweep))} experiments {sweep}-*, {JOBS} at a time", flush=True)
        _dvc("queue", "start", "--jobs", str(JOBS))
        wait(sweep)
    except (KeyboardInterrupt, PipelineError) as error:
        give_up(sweep)
        raise PipelineError(str(error) or f"{sweep} was stopped; what it had in the queue is removed") from None
    keys = [setting.split("=")[0] for setting in settings]
    runs = leaderboard.read(json.loads(_dvc("exp", "show", "--json")), sweep, keys)
    print(leaderboard.render(runs, keys))


def _status() -> str:
    """What `dvc queue status` prints. DVC writes its records in place, and one that is being written makes it fail: it
    is asked again then."""
    for _ in range(ASKED - 1):
        try:
            return _dvc("queue", "status")
        except PipelineError:
            time.sleep(1)
    return _dvc("queue", "status")


def _states(status: str, sweep: str) -> dict[str, str]:
    """The state of each experiment of `sweep` in what `dvc queue status` prints."""
    return dict(re.findall(rf"(?m)^\w+ +({sweep}\S*) .* (\w+) *$", status))


def _dvc(*arguments: str, shielded: bool = False) -> str:
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


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.sweep", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("settings", nargs="*", help="as `dvc exp run --set-param` takes them; a small grid without any")
    return parser.parse_args()


if __name__ == "__main__":
    errors.run(main)
