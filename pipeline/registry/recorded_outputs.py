"""The md5 that dvc.lock records for each output of the pipeline, at any Git revision."""

from typing import Any

import yaml

from pipeline.contract import paths
from pipeline.registry import git
from pipeline.registry.champion_record import ChampionRecord


def outputs_at(revision: str) -> dict[str, str]:
    """Return the md5 of each output in dvc.lock at a revision, by path; empty where no lock can be read there."""
    return outputs_in(git.show(revision, paths.LOCK) or "")


def outputs_in(lock: str) -> dict[str, str]:
    """Return the md5 of each output, by path, from the text of a dvc.lock; empty where it cannot be read."""
    try:
        stages: Any = yaml.safe_load(lock)["stages"]
        return {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", []) if "md5" in out}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        return {}


def commit_that_made(champion: ChampionRecord, revision: str) -> str | None:
    """Return a commit whose dvc.lock records the champion as its model: its `dvc repro` made it. None without one.

    Looks at `revision`, the commit that the champion's record names, and the last one that changed the record.
    """
    commits = (revision, champion.revision, git.last_change(paths.CHAMPION_RECORD, revision, "%H"))
    return next((c for c in commits if c and outputs_at(c).get(paths.MODEL.as_posix()) == champion.md5), None)
