"""Repair what a killed `dvc repro` leaves behind, so that the next run finds files that DVC can read, and params.yaml.

DVC writes dvc.lock and .dvc/tmp/rwlock in place: a kill in that moment leaves an empty or cut file, which every later
run refuses. A whole dvc.lock is copied; a damaged one is replaced by that copy, else by the one of the last commit. The
stages that it does not list then run again. A params.yaml that an experiment wrote gets its format back.
"""

import json
from pathlib import Path

import psutil

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.registry import git, lock, params_text
from pipeline.tables import atomic_files

GOOD = Path(".dvc/tmp/dvc.lock.good")
DVC_LOCK = Path(".dvc/tmp/lock")  # held by each DVC command, but not while a stage runs
STAGE_LOCK = Path(".dvc/tmp/rwlock")  # names the files and the process of each stage that runs
PATIENCE = 3  # seconds, as long as DVC waits for its own lock


def repair() -> list[str]:
    """Repair the workspace and return a sentence for each repair.

    Raises PipelineError where a DVC command is at work here: its half-written files are no damage.
    """
    # While DVC's own lock is held, no stage can start.
    with lock.held("repair", DVC_LOCK, PATIENCE):
        done = (_repair_stage_lock(), _repair_dvc_lock(), _remove_partial_files(), _format_params())
    return [sentence for sentence in done if sentence]


def _repair_stage_lock() -> str | None:
    try:
        content = json.loads(STAGE_LOCK.read_bytes())
        readers = [process for processes in content.get("read", {}).values() for process in processes]
        running = [*content.get("write", {}).values(), *readers]
        alive = [process for process in running if psutil.pid_exists(process["pid"])]
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError, KeyError, TypeError):
        STAGE_LOCK.unlink()
        return f"{STAGE_LOCK} was damaged (a killed run?): removed it"
    if alive:
        raise PipelineError(
            f"`{alive[0]['cmd']}` (process {alive[0]['pid']}) is at work in this folder: wait until it ends; if that "
            f"process is another program, delete {STAGE_LOCK}"
        )
    return None


def _repair_dvc_lock() -> str | None:
    good = GOOD.read_bytes() if GOOD.exists() else None
    if not paths.LOCK.exists() or paths.LOCK.read_bytes() == good:
        return None
    if _dvc_lock_is_whole():
        atomic_files.write_bytes(GOOD, paths.LOCK.read_bytes())
        return None
    committed = (git.show("HEAD", paths.LOCK) or "").encode()
    for content, name in ((good or b"", "the last good one"), (committed, "the one of the last commit")):
        atomic_files.write_bytes(paths.LOCK, content)
        if _dvc_lock_is_whole():
            return f"{paths.LOCK} was damaged (a killed run?): brought back {name}"
    paths.LOCK.unlink()
    return f"{paths.LOCK} was damaged (a killed run?) and there is no good one: removed it, all stages run again"


def _dvc_lock_is_whole() -> bool:
    """Return True where DVC accepts dvc.lock and its last line is complete: a cut one may still be YAML."""
    from dvc.exceptions import DvcException  # takes half a second to import
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from dvc.utils import strictyaml

    try:
        strictyaml.load(str(paths.LOCK), schema=COMPILED_LOCKFILE_SCHEMA)
    except (DvcException, UnicodeDecodeError):
        return False
    return paths.LOCK.read_bytes().endswith(b"\n")


def _remove_partial_files() -> str | None:
    partial = [path for folder in ("data", "models", "metrics") for path in Path(folder).rglob("*.partial")]
    for path in partial:
        atomic_files.remove(path)
    return f"removed {len(partial)} half-written files of a killed run" if partial else None


def _format_params() -> str | None:
    committed = git.show("HEAD", paths.PARAMS)
    if committed is None or not paths.PARAMS.exists():
        return None
    text = params_text.in_format_of(committed, paths.PARAMS.read_text(encoding="utf-8", errors="replace"))
    if text is None:
        return None
    atomic_files.write_text(paths.PARAMS, text)
    return f"{paths.PARAMS} was written by DVC: its values are in the format of the last commit again"
