"""The workspace's model before it is promoted or kept: what made it, and what the gate said of it."""

import json
from typing import Any

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.paths import MODEL
from pipeline.contract.yaml_config import read_mapping
from pipeline.registry import git, history, module_runner
from pipeline.tables import atomic_files

# The last stages behind a model: what it was trained on, and what it scores.
JUDGED = ("provenance", "evaluate")


def check_made() -> str:
    """The md5 of the workspace's model. Raises PipelineError where it is not what `dvc repro` would make."""
    if not MODEL.exists():
        raise PipelineError(f"{MODEL} is missing: run `dvc repro` to make a model")
    done = module_runner.capture("dvc", "status", "--json", "--with-deps", *JUDGED)
    if done.returncode:
        raise PipelineError(f"`dvc status` failed: {done.stderr.strip()}")
    if stale := json.loads(done.stdout):
        raise PipelineError(
            f"{paths.LOCK} does not belong to this workspace (changed, or not in DVC's cache: {', '.join(sorted(stale))}), "
            f"so nobody could make {MODEL} again: run `dvc repro` and `make gate`, or take the changes back"
        )
    return atomic_files.digest(MODEL, "md5")


def made_of() -> list[str]:
    """The files that Git tracks and that made the model, or that it made: inputs, code, parameters, lock, metrics."""
    stages: dict[str, dict[str, Any]] = read_mapping(paths.LOCK)["stages"]
    # The live rows have no part in the model; the report on them is in the lock.
    named = [
        entry["path"]
        for name, stage in stages.items()
        for kind in (("outs",) if name == "drift" else ("deps", "outs"))
        for entry in stage.get(kind, [])
    ]
    return ["dvc.yaml", paths.LOCK.as_posix(), "params.yaml", *named]


def verdict(md5: str, champion: str | None) -> str | None:
    """The gate's last verdict on these bytes against this champion on today's test split; None without one."""
    entry = _entry(md5, champion)
    return str(entry["verdict"]) if entry else None


def keep(md5: str, champion: str | None) -> str:
    """Keep the model as a DVC experiment (`dvc exp list`, `dvc exp show`), and say so in one line.

    `dvc exp save` does the same, but moves HEAD and the workspace away and back, and a kill would leave them there.
    """
    from dvc.repo.experiments.refs import ExpRefInfo  # takes half a second to import

    entry = _entry(md5, champion)
    if entry is None:
        raise PipelineError(f"the gate has no verdict on {MODEL} (md5 {md5}) yet: run `make gate`")
    name = f"{entry['verdict']}-{md5[:8]}"
    message = f"Gate: {entry['verdict']}, md5 {md5}\n\n{json.dumps(entry, indent=2)}"
    kept = [*made_of(), paths.HISTORY.as_posix()]
    git.snapshot(kept, message, str(ExpRefInfo(git.commit_of("HEAD"), name)))
    return f"kept: {MODEL} is the DVC experiment {name}"


def _entry(md5: str, champion: str | None) -> dict[str, Any] | None:
    split = atomic_files.digest(paths.TEST)
    asked = {"challenger": md5, "test": split, "champion": champion}
    # `champion` is left out where the gate did not write it.
    entries = [e for e in history.read() if "verdict" in e and asked.items() <= {"champion": champion, **e}.items()]
    return entries[-1] if entries else None
