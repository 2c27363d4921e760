"""Retrain on drift, or with --force.

    python -m ops.retrain [--force]

Exports the logged predictions where PREDICTION_LOG_URL is set, fetches live rows where LIVE_URL is set, and runs
`dvc repro drift`. With a reason to retrain, labelled live rows become a part of data/raw; where data/raw then has new
rows, come `dvc repro`, the gate, and promote or keep. After a kill, run it again.
"""

import argparse
import os
import tempfile
from pathlib import Path

from pipeline.contract import errors, paths
from pipeline.drift import labelled_rows, live_folder
from pipeline.gate.decision import EXIT_CODES
from pipeline.registry import challenger, git, lock, module_runner, promotion
from pipeline.registry.champion_record import has_new_rows, recorded_md5
from pipeline.registry.repair import repair
from pipeline.tables import atomic_files

# After drift, a model must be as good on all rows and better on the most recent ones.
DRIFT_POLICY = ("--policy", "non_inferior")
# The reason where labelled rows in data/raw are not in Git: the model has learned them, so drift is not found again.
UNANSWERED = "drift that no promotion has answered"


def reason(report: dict[str, object], force: bool) -> str | None:
    """Return the reason to retrain that a drift report or `force` gives; None without one."""
    if report["retrain"]:
        return f"drift: {report['verdict']}"
    return "asked for" if force else None


def retrain(force: bool) -> str:
    """Run the loop; return a line that says how it ended."""
    git.check_ready()
    for sentence in repair():
        print(sentence, flush=True)
    promotion.complete()
    if os.environ.get("PREDICTION_LOG_URL"):
        module_runner.run("api.commands.export")
    if os.environ.get("LIVE_URL"):
        live_folder.fetch(os.environ["LIVE_URL"])
    module_runner.run("dvc", "repro", "drift")
    report = atomic_files.read_json(paths.DRIFT_METRICS)
    drift = f"drift: {report['verdict']}"
    kept = "the champion stays" if recorded_md5("HEAD") else "there is still no champion"
    if report["broken"] and not force:
        return f"retrain: nothing is learned from broken values ({drift}; {paths.DRIFT_PAGE} names them); {kept}"
    why = reason(report, force) or (UNANSWERED if git.changed([labelled_rows.PARTS]) else None)
    if why is None:
        return f"retrain: no reason ({drift}); {kept}"
    collected = _collect()
    if not force and not has_new_rows():
        return f"retrain: nothing new to learn from: {collected} ({drift}); {kept}"
    print(f"retrain: {why}\nretrain: {collected}", flush=True)
    module_runner.run("dvc", "repro")
    judged = challenger.last_verdict(atomic_files.digest(paths.MODEL, "md5"), recorded_md5("HEAD")).get("verdict")
    if judged in ("keep", "inconclusive") and not force:
        return f"retrain: this model is judged already ({judged}): more feedback is needed; {kept}"
    policy = DRIFT_POLICY if why != "asked for" else ()
    if module_runner.run("ops.gate", *policy, ok=tuple(EXIT_CODES.values())) == EXIT_CODES["promote"]:
        return promotion.promote(force=False)
    return f"{challenger.keep()}\nretrain: {kept}"


def _collect() -> str:
    """Make the labelled rows a part of data/raw: those of the whole log, since feedback may come late."""
    if not os.environ.get("PREDICTION_LOG_URL"):
        return labelled_rows.collect([paths.LIVE])
    with tempfile.TemporaryDirectory() as folder:
        module_runner.run("api.commands.export", "--since", "1970-01-01", LIVE_URL=folder)
        return labelled_rows.collect([paths.LIVE, Path(folder)])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ops.retrain", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--force", action="store_true", help="retrain whatever the drift report and data/raw say")
    force = parser.parse_args().force
    with lock.held("retrain"):
        print(retrain(force))


if __name__ == "__main__":
    errors.run_command(main)
