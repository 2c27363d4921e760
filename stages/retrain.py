"""Retrain when there is a reason: drift, or the user's word.

    python -m stages.retrain [--force]

Runs `dvc repro drift`; when it asks, `dvc repro`, the gate, and promote or keep. Without a reason it says so.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from stages import errors, files, gate
from stages.errors import PipelineError


def reason(report: dict[str, object], force: bool) -> str | None:
    """Why to retrain, or None."""
    if report.get("drift_detected"):
        return f"drift: {report.get('verdict')}"
    return "asked for" if force else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.retrain", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--force", action="store_true", help="retrain without drift")
    force = parser.parse_args().force
    _run("dvc", "repro", "drift")
    report = files.read_json(Path("metrics/drift.json"))
    why = reason(report, force)
    if why is None:
        print(f"retrain: no reason (drift: {report['verdict']}); the champion stays")
        return
    print(f"retrain: {why}")
    _run("dvc", "repro")
    if _run("stages.gate", ok=tuple(gate.EXIT_CODES.values())) == gate.EXIT_CODES["promote"]:
        _run("stages.registry", "promote")
    else:
        print("retrain: the champion stays")


def _run(module: str, *arguments: str, ok: tuple[int, ...] = (0,)) -> int:
    """Run a module with this interpreter, its output in plain sight, and return its exit code."""
    code = subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode
    if code not in ok:
        raise PipelineError(f"`python -m {' '.join((module, *arguments))}` ended with exit code {code}; see above")
    return code


if __name__ == "__main__":
    errors.run(main)
