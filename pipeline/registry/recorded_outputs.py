"""The hashes that dvc.lock records for the pipeline's outputs at a Git revision."""

from typing import Any

import yaml

from pipeline.contract import paths
from pipeline.registry import git
from pipeline.registry.champion_record import ChampionRecord


def outputs_at(revision: str) -> dict[str, str]:
    """Return the md5 of each output in dvc.lock at a revision, by its path; empty where there is no readable lock."""
    try:
        stages: Any = yaml.safe_load(git.show(revision, paths.LOCK) or "")["stages"]
        return {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", []) if "md5" in out}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        return {}


def commit_that_made(champion: ChampionRecord, revision: str) -> str | None:
    """Return the commit whose dvc.lock says that its run made the champion; None where none does.

    Asks `revision`, the commit that the champion's record names, and the last one that wrote the record.
    """
    commits = (revision, champion.revision, git.last_change(paths.CHAMPION_RECORD, revision, "%H"))
    return next((c for c in commits if c and outputs_at(c).get(paths.MODEL.as_posix()) == champion.md5), None)
