"""Retrain on drift, or with --force.

    python -m ops.retrain [--force]

Exports the logged predictions where PREDICTION_LOG_URL is set, fetches live rows where LIVE_URL is set, and runs
`dvc repro drift`. With a reason to retrain, labelled live rows become a part of data/raw; then come `dvc repro`, the
gate, and promote or keep. After a kill, run it again.
"""

import argparse
import os
import tempfile
from pathlib import Path

from pipeline.contract import errors, paths
from pipeline.drift import labelled_rows, live_folder
from pipeline.gate.decision import EXIT_CODES
from pipeline.registry import challenger, git, lock, module_runner, promotion
from pipeline.registry.champion_record import recorded_md5
from pipeline.registry.repair import repair
from pipeline.tables import atomic_files

# After drift, a model must be as good on all rows and better on the most recent ones.
DRIFT_POLICY = ("--policy", "non_inferior")
# The reason where labelled rows in data/raw are not in Git: the model has learned them, so drift is not found again.
UNANSWERED = "drift that no promotion has answered"


def reason(report: dict[str, object], force: bool) -> str | None:
    """Return the reason to retrain that a drift report or `force` gives; None without one."""
    if report.get("retrain", report.get("drift_detected")):
        return f"drift: {report.get('verdict')}"
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
    why = reason(report, force) or (UNANSWERED if git.changed([labelled_rows.PARTS]) else None)
    kept = "the champion stays" if recorded_md5("HEAD") else "there is still no champion"
    if why is None:
        return f"retrain: no reason (drift: {report['verdict']}); {kept}"
    print(f"retrain: {why}", flush=True)
    print(f"retrain: {_collect()}", flush=True)
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
    parser.add_argument("--force", action="store_true", help="retrain without drift")
    force = parser.parse_args().force
    with lock.held("retrain"):
        print(retrain(force))


if __name__ == "__main__":
    errors.run_command(main)
