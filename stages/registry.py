"""The champion: the one file that production serves, and the only command that changes it.

    python -m stages.registry promote [--force]

models/champion.onnx is tracked by DVC through models/champion.onnx.dvc; no stage of the pipeline writes it.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from stages import errors, files, history
from stages.errors import PipelineError

MODEL = Path("models/model.onnx")
CHAMPION = Path("models/champion.onnx")
RECORD = Path("models/champion.onnx.dvc")


def champion_at(revision: str) -> bytes | None:
    """The champion's file as it was at a Git revision; None where that revision has none.

    Looks in the workspace, then in DVC's cache and remotes. Raises PipelineError where the revision is unknown or
    the file cannot be found.
    """
    recorded = recorded_md5(revision)
    if recorded is None:
        return None
    if CHAMPION.exists() and files.digest(CHAMPION, "md5") == recorded:
        return CHAMPION.read_bytes()
    return _from_dvc(revision, recorded)


def recorded_md5(revision: str) -> str | None:
    """The md5 that DVC recorded for the champion at a revision; None where it has no champion."""
    if _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").returncode:
        raise PipelineError(f"{revision!r} is no revision of this Git repository: name a commit, branch or tag")
    shown = _git("show", f"{revision}:{RECORD.as_posix()}")
    if shown.returncode:
        return None
    try:
        return str(yaml.safe_load(shown.stdout)["outs"][0]["md5"])
    except (yaml.YAMLError, KeyError, IndexError, TypeError):
        raise PipelineError(f"{RECORD} at {revision} names no md5: restore it from an earlier commit") from None


def promote(force: bool) -> str:
    """Make the workspace's model the champion and return its md5.

    Raises PipelineError unless the gate's last verdict on exactly these bytes was `promote`, or `force`.
    """
    if not MODEL.exists():
        raise PipelineError(f"{MODEL} is missing: run `dvc repro` to make a model")
    md5 = files.digest(MODEL, "md5")
    verdicts = [entry["verdict"] for entry in history.read() if entry.get("challenger") == md5 and "verdict" in entry]
    last = verdicts[-1] if verdicts else "none"
    if last != "promote" and not force:
        raise PipelineError(
            f"the gate's last verdict on {MODEL} (md5 {md5}) is {last!r}, expected 'promote': run `make gate`, or "
            "promote with FORCE=1, which is recorded"
        )
    with files.replacing(CHAMPION) as partial:
        shutil.copyfile(MODEL, partial)
    _dvc("add", "--quiet", str(CHAMPION))
    history.append({"promoted": md5, "forced": last != "promote"})
    return md5


def _from_dvc(revision: str, recorded: str) -> bytes:
    import dvc.api  # takes a second to import, and is seldom needed
    from dvc.exceptions import DvcException

    try:
        content: bytes = dvc.api.read(str(CHAMPION), rev=revision, mode="rb")
    except (DvcException, OSError) as error:
        raise PipelineError(
            f"the champion of {revision} (md5 {recorded}) is neither in the workspace nor in DVC's cache or a remote "
            f"({error}): run `dvc pull {CHAMPION}`, or check out {revision} in a clone, run `dvc repro` there and copy "
            f"its {MODEL} here as {CHAMPION}"
        ) from None
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != recorded:
        raise PipelineError(f"DVC's copy of the champion of {revision} is damaged: `dvc pull --force {CHAMPION}`")
    return content


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise PipelineError("git is not installed: the champion's record is in Git") from None


def _dvc(*arguments: str) -> None:
    # The DVC beside this interpreter: another one may be first on PATH.
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PipelineError(f"`dvc {' '.join(arguments)}` failed: {done.stderr.strip()}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.registry", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    promoting = commands.add_parser("promote", help="make models/model.onnx what production serves")
    promoting.add_argument("--force", action="store_true", help="without a verdict; recorded in the history")
    arguments = parser.parse_args()
    md5 = promote(arguments.force)
    print(f"promoted: {CHAMPION} is now {MODEL} (md5 {md5}); commit {RECORD} and {history.PATH}")


if __name__ == "__main__":
    errors.run(main)
