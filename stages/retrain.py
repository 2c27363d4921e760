"""Retrain when there is a reason: drift, or the user's word.

    python -m stages.retrain [--force]

Exports the logged predictions where PREDICTION_LOG_URL names their database, fetches what LIVE_URL holds where that is
set, and runs `dvc repro drift`. When that asks, labelled live rows become a part of data/raw; then `dvc repro`, the
gate, and promote or keep. Without a reason it says so. After a kill, run it again.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from stages import errors, files, gate, registry
from stages.errors import PipelineError
from stages.monitoring import live
from stages.promotion import challenger, git, labelled, lock

# Where drift is the reason, a model that is as good on all rows and better on the most recent ones is what is wanted.
DRIFT_POLICY = ("--policy", "non_inferior")
# Its labelled rows are in data/raw and not in Git. Drift cannot tell: it compares with the challenger's rows by now.
UNANSWERED = "drift that no promotion has answered"


def reason(report: dict[str, object], force: bool) -> str | None:
    """Why to retrain, or None."""
    if report.get("retrain", report.get("drift_detected")):
        return f"drift: {report.get('verdict')}"
    return "asked for" if force else None


def retrain(force: bool) -> str:
    """Go through the loop and say in one line how it ended."""
    git.check_ready()
    _run("stages.mend")
    registry.complete()
    if os.environ.get("PREDICTION_LOG_URL"):
        _run("api.export")
    if os.environ.get("LIVE_URL"):
        _run("stages.remote")
    _run("dvc", "repro", "drift")
    report = files.read_json(Path("metrics/drift.json"))
    why = reason(report, force) or (UNANSWERED if git.changed([labelled.PARTS]) else None)
    if why is None:
        return f"retrain: no reason (drift: {report['verdict']}); the champion stays"
    print(f"retrain: {why}", flush=True)
    print(f"retrain: {_collect()}", flush=True)
    _run("dvc", "repro")
    judged = challenger.verdict(files.digest(registry.MODEL, "md5"), registry.recorded_md5("HEAD"))
    if judged in ("keep", "inconclusive") and not force:
        return f"retrain: this model is judged already ({judged}): it takes more feedback; the champion stays"
    policy = DRIFT_POLICY if why != "asked for" else ()
    if _run("stages.gate", *policy, ok=tuple(gate.EXIT_CODES.values())) == gate.EXIT_CODES["promote"]:
        return registry.promote(force=False)
    return f"{registry.keep()}\nretrain: the champion stays"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.retrain", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--force", action="store_true", help="retrain without drift")
    force = parser.parse_args().force
    with lock.held("retrain"):
        print(retrain(force))


def _collect() -> str:
    """Labelled rows of the whole log: feedback may come after the champion that answered has left."""
    if not os.environ.get("PREDICTION_LOG_URL"):
        return labelled.collect([live.FOLDER])
    with tempfile.TemporaryDirectory() as folder:
        _run("api.export", "--since", "1970-01-01", LIVE_URL=folder)
        return labelled.collect([live.FOLDER, Path(folder)])


def _run(module: str, *arguments: str, ok: tuple[int, ...] = (0,), **settings: str) -> int:
    """Run a module with this interpreter, under more settings, its output in plain sight; returns its exit code."""
    code = subprocess.run([sys.executable, "-m", module, *arguments], env=os.environ | settings, check=False).returncode
    if code not in ok:
        raise PipelineError(f"`python -m {' '.join((module, *arguments))}` ended with exit code {code}; see above")
    return code


if __name__ == "__main__":
    errors.run(main)
