"""What the pipeline recorded at a Git revision: metrics through DVC, hashes from its lock."""

import math
import subprocess
from typing import Any

import yaml

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.paths import CHAMPION_RECORD, MODEL
from pipeline.registry.champion_record import Record


def rmse(revision: str | None) -> float:
    """The test RMSE as `dvc metrics diff` reads it; of the workspace where `revision` is None.

    Raises PipelineError where the file or the figure is missing or no number.
    """
    import dvc.api  # half a second, which the importers of this module need not wait for
    from dvc.exceptions import DvcException

    where = f"{paths.EVALUATE_METRICS} at {revision}" if revision else str(paths.EVALUATE_METRICS)
    way_out = (
        f"commit it with the champion (`dvc repro`, `git add {paths.EVALUATE_METRICS}`)"
        if revision
        else "run `dvc repro`"
    )
    try:
        found = dvc.api.metrics_show(paths.EVALUATE_METRICS.as_posix(), rev=revision)
    except (FileNotFoundError, DvcException, TypeError) as error:
        missing = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
        raise PipelineError(f"could not decide: {where} {missing}: {way_out}") from None
    value = found.get("rmse")
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise PipelineError(f"could not decide: {where}: expected a number 'rmse', found {value}: {way_out}")
    return float(value)


def hashes(revision: str) -> dict[str, str]:
    """The md5 of each output in dvc.lock at a revision, by its path; empty where there is no readable lock."""
    shown = subprocess.run(["git", "show", f"{revision}:dvc.lock"], capture_output=True, text=True, check=False)
    try:
        stages: Any = yaml.safe_load(shown.stdout)["stages"]
        return {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", []) if "md5" in out}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        return {}


def origin(revision: str, champion: Record) -> str | None:
    """The commit whose lock says that its run made the champion: `revision`, the one that the record names, or the last
    that wrote the record; None where none does."""
    logged = subprocess.run(
        ["git", "log", "-1", "--format=%H", revision, "--", CHAMPION_RECORD.as_posix()],
        capture_output=True,
        text=True,
        check=False,
    )
    commits = (revision, champion.revision, logged.stdout.strip())
    return next((c for c in commits if c and hashes(c).get(MODEL.as_posix()) == champion.md5), None)
