"""Run one DVC experiment for each combination of some settings, and name the best of them.

    python -m ops.sweep ['train.families.ridge.alpha=[1],[10],[100]' ...]

The best has the lowest cross-validated RMSE of its selected model; the test split chooses nothing. Experiments run in
DVC's queue, in folders of their own, and leave the workspace as it is. What else is in the queue runs too.
"""

import argparse
import json
import secrets
import signal

from pipeline.contract import errors, params
from pipeline.contract.errors import PipelineError
from pipeline.experiments import leaderboard, queue

# A search within each depth and learning rate.
SETTINGS = ["train.families.xgboost.max_depth=[2],[3],[5]", "train.families.xgboost.learning_rate=[0.05],[0.1]"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ops.sweep", description=(__doc__ or "").splitlines()[0])
    form = "as `dvc exp run --set-param` takes them; by default a small grid of xgboost"
    parser.add_argument("settings", nargs="*", default=SETTINGS, help=form)
    settings = parser.parse_args().settings
    params.load(params.Train)  # an error in params.yaml ends the sweep before anything is queued
    sweep = f"sweep-{secrets.token_hex(2)}"
    # A shell's background ignores SIGINT; workers that inherited it could not be interrupted.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    try:
        queue.enqueue(sweep, settings)
        count = len(queue.experiment_states(queue.status(), sweep))
        print(f"{count} experiments {sweep}-*, {queue.JOBS} at a time", flush=True)
        queue.dvc("queue", "start", "--jobs", str(queue.JOBS))
        queue.wait(sweep)
    except (KeyboardInterrupt, PipelineError) as error:
        queue.remove(sweep)
        raise PipelineError(str(error) or f"{sweep} was stopped; what it had in the queue is removed") from None
    keys = [setting.split("=")[0] for setting in settings]
    runs = leaderboard.read(json.loads(queue.dvc("exp", "show", "--json")), sweep, keys)
    print(leaderboard.render(runs, keys))


if __name__ == "__main__":
    errors.run_command(main)
