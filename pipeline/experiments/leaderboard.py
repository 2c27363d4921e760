"""The experiments of a sweep as a table, from best to worst by cross-validation."""

from pathlib import Path
from typing import Any, NamedTuple

from pipeline.contract.number_text import figure


class Run(NamedTuple):
    """One experiment, or the workspace.

    `cv_rmse` is None for an experiment that failed; `reason` then says why.
    """

    name: str
    values: list[str]
    family: str
    cv_rmse: float | None
    reason: str = ""


def read(shown: list[dict[str, Any]], sweep: str, keys: list[str]) -> list[Run]:
    """Return the workspace, then the experiments whose names begin with `sweep`, best first and the failed ones last.

    `shown` is what `dvc exp show --json` prints, `keys` are the parameters that the sweep varies.
    """
    workspace, *commits = shown
    experiments = [each for commit in commits for each in commit["experiments"] or []]
    runs = [_experiment(each, keys) for each in experiments if (each["name"] or "").startswith(sweep)]
    ranked = sorted(runs, key=lambda run: (run.cv_rmse is None, run.cv_rmse or 0, run.name))
    return [_run("the workspace", workspace["data"], keys), *ranked]


def render(runs: list[Run], keys: list[str]) -> str:
    """Return the runs as a table, the reasons of the failed ones, and the name of the best."""
    before, *experiments = runs
    header = ["experiment", *(key.rsplit(".", 1)[-1] for key in keys), "family", "cv_rmse"]
    lines = [header, *([run.name, *run.values, run.family, _figure(run)] for run in runs)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    failed = [f"{run.name} failed: {run.reason}" for run in experiments if run.reason]
    best = next((run for run in experiments if run.cv_rmse is not None), None)
    if best is None or best.cv_rmse is None:
        verdict = "no experiment succeeded"
    elif before.cv_rmse is not None and before.cv_rmse <= best.cv_rmse:
        verdict = f"no experiment is better than the workspace; the best is {best.name}, cv_rmse {_figure(best)}"
    else:
        verdict = f"best: {best.name}, cv_rmse {_figure(best)}; take it with `dvc exp apply {best.name}`"
    return "\n".join([*table, *failed, verdict])


def _experiment(shown: dict[str, Any], keys: list[str]) -> Run:
    # DVC gives a failed experiment the metrics of the commit that it started from: they are not taken.
    run = _run(shown["name"], shown["revs"][0]["data"], keys)
    executor = shown["executor"] or {"state": "success"}
    if executor["state"] == "success":
        return run
    log = (executor.get("local") or {}).get("log")
    return run._replace(family="", cv_rmse=None, reason=_reason(Path(log)) if log else "it has no log")


def _run(name: str, data: dict[str, Any], keys: list[str]) -> Run:
    figures = data["metrics"].get("metrics/select.json", {}).get("data", {})
    values = [_value(data["params"]["params.yaml"]["data"], key) for key in keys]
    return Run(name, values, figures.get("family", ""), figures.get("cv_rmse"))


def _value(params: Any, key: str) -> str:
    for part in key.split("."):
        params = params.get(part) if isinstance(params, dict) else None
    return ", ".join(map(str, params)) if isinstance(params, list) else str(params)


def _reason(log: Path) -> str:
    """Return the error of a stage in an experiment's log, else its last line."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return f"its log {log} is gone"
    said = [line for line in lines if line.startswith("error: ")] or [line for line in lines if line.strip()]
    return said[-1] if said else f"its log {log} is empty"


def _figure(run: Run) -> str:
    return "failed" if run.reason else "-" if run.cv_rmse is None else figure(run.cv_rmse)
