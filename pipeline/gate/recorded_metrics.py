"""The recorded metrics of a Git revision and of the workspace, as `dvc metrics diff` compares them."""

import math
from typing import Any, NamedTuple

from dvc.commands.metrics import DEFAULT_PRECISION
from dvc.compare import diff_table
from dvc.exceptions import DvcException
from dvc.repo import Repo

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.evaluation import markdown

_WORKSPACE = "workspace"


class RecordedMetrics(NamedTuple):
    """DVC's comparison of `revision` with the workspace.

    `values`: for each file, and each name in it, the value `old` at the revision, `new` in the workspace, and `diff`;
    None where a side has none. `errors`: for a side (the revision, or `workspace`) that it could not read, why, or why
    for each file.
    """

    revision: str
    values: dict[str, dict[str, dict[str, Any]]]
    errors: dict[str, Exception | dict[str, Exception]]

    @property
    def new_rmse(self) -> float:
        """The RMSE in the workspace's metrics/evaluate.json. Raises PipelineError where it is missing or no number."""
        return self._rmse("new", _WORKSPACE, str(paths.EVALUATE_METRICS), "run `dvc repro`")

    @property
    def old_rmse(self) -> float:
        """The RMSE in metrics/evaluate.json at the revision. Raises PipelineError where it is missing or no number."""
        way_out = f"commit it with the champion (`dvc repro`, `git add {paths.EVALUATE_METRICS}`)"
        return self._rmse("old", self.revision, f"{paths.EVALUATE_METRICS} at {self.revision}", way_out)

    def table(self) -> str:
        """Return the table that `dvc metrics diff REVISION --md` prints, files sorted; empty where nothing differs."""
        changed = {
            file: {name: value for name, value in values.items() if value["old"] != value["new"]}
            for file, values in sorted(self.values.items())
        }
        cells = diff_table(changed, "Metric", precision=DEFAULT_PRECISION, round_digits=True, a_rev=self.revision)
        return markdown.table(cells.keys(), cells) if len(cells) else ""

    def _rmse(self, side: str, revision: str, where: str, way_out: str) -> float:
        path, failed = str(paths.EVALUATE_METRICS), self.errors.get(revision, {})
        error = failed if isinstance(failed, Exception) else failed.get(path)
        if isinstance(error, FileNotFoundError):
            raise PipelineError(f"could not decide: {where} is missing: {way_out}")
        if error:
            raise PipelineError(f"could not decide: {where} cannot be read ({error}): {way_out}")
        value = self.values.get(path, {}).get("rmse", {}).get(side)
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise PipelineError(f"could not decide: {where}: expected a number 'rmse', found {value}: {way_out}")
        return float(value)


def compare(revision: str) -> RecordedMetrics:
    """Compare the metrics of all stages. Raises PipelineError where DVC cannot."""
    try:
        with Repo() as repo:
            # Equal values, too: `dvc metrics diff` leaves them out, but the gate checks them.
            found = repo.metrics.diff(a_rev=revision, b_rev=_WORKSPACE, all=True)
            if any(isinstance(error, Exception) for error in found.get("errors", {}).values()):
                # A side's dvc.yaml does not list its metrics; the file that the gate needs may be there all the same.
                targets = [paths.EVALUATE_METRICS.as_posix()]
                found = repo.metrics.diff(a_rev=revision, b_rev=_WORKSPACE, all=True, targets=targets)
    except DvcException as error:
        raise PipelineError(f"could not decide: `dvc metrics diff {revision}` failed: {error}") from None
    return RecordedMetrics(revision, found.get("diff", {}), found.get("errors", {}))
