"""Mend what killing `dvc repro` can leave behind, so that the next run starts from something that DVC can read.

DVC writes dvc.lock and .dvc/tmp/rwlock in place: a kill in that moment leaves an empty or cut file, which every later
run refuses. `make repro` runs this first: a lock that reads well is kept as a copy, one that does not is replaced by
that copy, else by the one of the last commit. What the kill undid then simply runs again.
"""

import json
import shutil
import subprocess
from pathlib import Path

import yaml

from stages import errors, files

LOCK = Path("dvc.lock")
GOOD = Path(".dvc/tmp/dvc.lock.good")
WRITTEN = ("data", "models", "metrics")
RUNNING = Path(".dvc/tmp/rwlock")


def readable(text: str) -> bool:
    """Whether this is a dvc.lock that DVC accepts: a mapping with its version and its stages."""
    try:
        content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except yaml.YAMLError:
        return False
    stages = content.get("stages", {}) if isinstance(content, dict) else None
    return (
        isinstance(stages, dict)
        and content.get("schema") == "2.0"
        and all(isinstance(stage, dict) and "cmd" in stage for stage in stages.values())
    )


def mend_lock() -> str | None:
    """What was done to dvc.lock, or None where it was well."""
    if not LOCK.exists():
        return None
    if readable(LOCK.read_text(encoding="utf-8", errors="replace")):
        with files.replacing(GOOD) as partial:
            shutil.copyfile(LOCK, partial)
        return None
    if GOOD.exists():
        with files.replacing(LOCK) as partial:
            shutil.copyfile(GOOD, partial)
        return "dvc.lock was damaged (a killed run?): brought back the last good one"
    committed = subprocess.run(["git", "show", f"HEAD:{LOCK}"], capture_output=True, check=False)
    if committed.returncode == 0 and readable(committed.stdout.decode()):
        files.write_bytes(LOCK, committed.stdout)
        return "dvc.lock was damaged (a killed run?): brought back the one of the last commit"
    LOCK.unlink()
    return "dvc.lock was damaged (a killed run?) and there is no good one: removed it, all stages run again"


def mend_rwlock() -> str | None:
    """What was done to DVC's note of what runs, or None where it was well or not there."""
    try:
        json.loads(RUNNING.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        RUNNING.unlink()
        return f"{RUNNING} was damaged (a killed run?): removed it"
    return None


def sweep() -> str | None:
    """How many half-written files were removed, or None."""
    partial = [path for folder in WRITTEN for path in Path(folder).rglob("*.partial")]
    for path in partial:
        files.remove(path)
    return f"removed {len(partial)} half-written files of a killed run" if partial else None


def main() -> None:
    for done in (mend_lock(), mend_rwlock(), sweep()):
        if done:
            print(done)


if __name__ == "__main__":
    errors.run(main)
