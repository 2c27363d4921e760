"""The test RMSE that the pipeline recorded, as `dvc metrics` reads it."""

import math

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError


def recorded_rmse(revision: str | None) -> float:
    """Return the RMSE in metrics/evaluate.json at a Git revision; of the workspace where `revision` is None.

    Raises PipelineError where the file or the figure is missing or no number.
    """
    import dvc.api  # half a second, which the importers of this module need not wait for
    from dvc.exceptions import DvcException

    where, way_out = str(paths.EVALUATE_METRICS), "run `dvc repro`"
    if revision:
        way_out = f"commit it with the champion (`dvc repro`, `git add {where}`)"
        where = f"{where} at {revision}"
    try:
        value = dvc.api.metrics_show(paths.EVALUATE_METRICS.as_posix(), rev=revision).get("rmse")
    except FileNotFoundError:
        raise PipelineError(f"could not decide: {where} is missing: {way_out}") from None
    except (DvcException, TypeError) as error:
        raise PipelineError(f"could not decide: {where} cannot be read ({error}): {way_out}") from None
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise PipelineError(f"could not decide: {where}: expected a number 'rmse', found {value}: {way_out}")
    return float(value)
