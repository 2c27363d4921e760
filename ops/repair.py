"""Mend what killing `dvc repro` can leave behind, so that the next run starts from something that DVC can read.

DVC writes dvc.lock and .dvc/tmp/rwlock in place: a kill in that moment leaves an empty or cut file, which every later
run refuses. `make repro` runs this first: a lock that reads well is kept as a copy, one that does not is replaced by
that copy, else by the one of the last commit. What the kill undid then simply runs again.
"""

import filecmp
import json
import shutil
import subprocess
from pathlib import Path

from pipeline.contract import errors, paths
from pipeline.tables import atomic_files

GOOD = Path(".dvc/tmp/dvc.lock.good")
WRITTEN = ("data", "models", "metrics")
RUNNING = Path(".dvc/tmp/rwlock")


def readable(path: Path) -> bool:
    """Whether DVC accepts this dvc.lock and it is whole: one that was cut inside of its last line may still be YAML."""
    from dvc.exceptions import DvcException
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from dvc.utils import strictyaml

    try:
        # What DVC itself calls, so that the two cannot disagree.
        strictyaml.load(str(path), schema=COMPILED_LOCKFILE_SCHEMA)
    except (DvcException, UnicodeDecodeError):
        return False
    return path.read_bytes().endswith(b"\n")


def mend_lock() -> str | None:
    """What was done to dvc.lock, or None where it was well."""
    if not paths.LOCK.exists() or (GOOD.exists() and filecmp.cmp(paths.LOCK, GOOD, shallow=False)):
        return None
    if readable(paths.LOCK):
        with atomic_files.replacing(GOOD) as partial:
            shutil.copyfile(paths.LOCK, partial)
        return None
    if GOOD.exists():
        with atomic_files.replacing(paths.LOCK) as partial:
            shutil.copyfile(GOOD, partial)
        return "dvc.lock was damaged (a killed run?): brought back the last good one"
    committed = subprocess.run(["git", "show", f"HEAD:./{paths.LOCK}"], capture_output=True, check=False)
    if committed.returncode == 0:
        atomic_files.write_bytes(paths.LOCK, committed.stdout)
        if readable(paths.LOCK):
            return "dvc.lock was damaged (a killed run?): brought back the one of the last commit"
    paths.LOCK.unlink()
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
        atomic_files.remove(path)
    return f"removed {len(partial)} half-written files of a killed run" if partial else None


def main() -> None:
    for done in (mend_lock(), mend_rwlock(), sweep()):
        if done:
            print(done)


if __name__ == "__main__":
    errors.run_command(main)
