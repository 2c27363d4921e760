"""The champion's versions, kept by GTO as Git tags: `housing@v1.2.0`, and `housing#prod#N` for the one in production.

A version is a commit whose models/champion.onnx.dvc records the champion. The first is v1.0.0; each promotion makes the
next minor one. `housing` is the name under `artifacts:` in dvc.yaml.
"""

import functools
from typing import Any

import gto.api
from gto.exceptions import GTOException
from gto.tag import parse_name
from gto.versions import SemVer

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.paths import CHAMPION
from pipeline.contract.yaml_config import read_mapping

STAGE = "prod"


@functools.cache
def artifact() -> str:
    """Return the name in dvc.yaml of the artifact whose file is the champion."""
    declared = read_mapping(paths.GRAPH).get("artifacts")
    for name, entry in declared.items() if isinstance(declared, dict) else ():
        if isinstance(entry, dict) and entry.get("path") == CHAMPION.as_posix():
            return str(name)
    raise PipelineError(
        f"{paths.GRAPH}: expected an entry under `artifacts:` with `path: {CHAMPION.as_posix()}`, found none"
    )


def tag(version: str) -> str:
    return f"{artifact()}@{version}"


def registered() -> dict[str, str]:
    """Return the commit of each version."""
    last = {e["version"]: e for e in _events() if e["event"] in ("registration", "deregistration")}
    return {version: event["commit"] for version, event in last.items() if event["event"] == "registration"}


def following(versions: list[str]) -> str:
    """Return the next minor version after all of these; v1.0.0 where there is none."""
    return max(map(SemVer, versions)).bump_minor().version if versions else "v1.0.0"


def in_production() -> list[str]:
    """List the versions that led to the one in production, which is last; those rolled back are left out."""
    known = registered()
    assigned = [e for e in _events() if e["event"] == "assignment" and e["stage"] == STAGE and e["version"] in known]
    # Times have whole seconds; the counter in the tag's name is the order.
    ordered = sorted(assigned, key=lambda event: parse_name(event["ref"])["counter"])
    return standing([event["version"] for event in ordered])


def standing(assigned: list[str]) -> list[str]:
    """Drop the versions that a rollback took back: 1 2 3 2 4 becomes 1 2 4."""
    line: list[str] = []
    for version in assigned:
        line = [*line[: line.index(version) if version in line else None], version]
    return line


def publish(version: str, commit: str) -> None:
    """Register the version on the commit and put it into production, unless that is done already."""
    try:
        if version not in registered():
            gto.api.register(".", artifact(), commit, version=version)
        if in_production()[-1:] != [version]:
            gto.api.assign(".", artifact(), STAGE, version=version, force=True)
    except GTOException as error:
        raise PipelineError(f"GTO could not make {tag(version)} the version in production: {error}") from None


def resolve(name: str) -> str | None:
    """Return the version that a name means: `v1.0.0`, `housing@v1.0.0`, or the stage `prod` (`housing#prod`).

    None where there is no such version, or none in production.
    """
    short = name.removeprefix(f"{artifact()}@").removeprefix(f"{artifact()}#")
    if short == STAGE:
        return next(reversed(in_production()), None)
    return short if short in registered() else None


def _events() -> list[dict[str, Any]]:
    return gto.api.history(".", artifact=artifact(), ascending=True)
