"""The challenger, the workspace's model: what made it, and the gate's verdict on it."""

import json
from typing import Any

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.paths import MODEL
from pipeline.contract.yaml_config import read_mapping
from pipeline.registry import git, history, module_runner
from pipeline.registry.champion_record import recorded_md5
from pipeline.tables import atomic_files

# Their inputs are all that made a model and its score.
STAGES = ("provenance", "evaluate")


def check_made() -> str:
    """Return the md5 of the workspace's model. Raises PipelineError where `dvc repro` would make another."""
    done = module_runner.capture("dvc", "status", "--json", "--with-deps", *STAGES)
    if done.returncode:
        raise PipelineError(f"`dvc status` failed: {done.stderr.strip()}")
    if stale := json.loads(done.stdout):
        raise PipelineError(
            f"{paths.LOCK} does not describe this workspace, so nobody could make {MODEL} again (changed, or not in "
            f"DVC's cache: {', '.join(sorted(stale))}): run `dvc repro` and `make gate`, or undo the changes"
        )
    return atomic_files.digest(MODEL, "md5")


def made_of() -> list[str]:
    """List the files in Git that made the model or came with it: inputs, code, parameters, lock, metrics."""
    stages: dict[str, dict[str, Any]] = read_mapping(paths.LOCK)["stages"]
    # Live rows have no part in the model, but the drift report's hash is in the lock.
    named = [
        entry["path"]
        for name, stage in stages.items()
        for kind in (("outs",) if name == "drift" else ("deps", "outs"))
        for entry in stage.get(kind, [])
    ]
    return [*(path.as_posix() for path in (paths.GRAPH, paths.LOCK, paths.PARAMS)), *named]


def last_verdict(md5: str, champion: str | None) -> dict[str, Any]:
    """Return the gate's last line on this model, this champion and today's test split; empty where there is none."""
    asked = {"challenger": md5, "test": atomic_files.digest(paths.TEST), "champion": champion}
    # Older lines have no key `champion`: they match any.
    lines = [e for e in history.read() if "verdict" in e and asked.items() <= {"champion": champion, **e}.items()]
    return lines[-1] if lines else {}


def keep() -> str:
    """Keep the model as a DVC experiment (`dvc exp list`) named after its verdict; return a line that says so.

    Raises PipelineError where the gate has no verdict on it. `dvc exp save` does the same, but moves HEAD and the
    workspace away and back: a kill would leave them away.
    """
    from dvc.repo.experiments.refs import ExpRefInfo  # takes half a second to import

    git.check_ready()
    md5, champion = check_made(), recorded_md5("HEAD")
    if md5 == champion:
        return f"nothing to keep: {MODEL} is the champion"
    if not (line := last_verdict(md5, champion)):
        raise PipelineError(f"the gate has no verdict on {MODEL} (md5 {md5}) yet: run `make gate`")
    name = f"{line['verdict']}-{md5[:8]}"
    message = f"Gate: {line['verdict']}, md5 {md5}\n\n{json.dumps(line, indent=2)}"
    git.snapshot([*made_of(), paths.HISTORY.as_posix()], message, str(ExpRefInfo(git.commit_of("HEAD"), name)))
    return f"kept: {MODEL} is the DVC experiment {name}"
