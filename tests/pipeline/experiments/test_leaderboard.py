"""pipeline.experiments.leaderboard on small pieces of what `dvc exp show --json` prints."""

from pathlib import Path
from typing import Any

from pipeline.experiments.leaderboard import read, render

KEY = "train.families.ridge.alpha"


def data(cv_rmse: float, alpha: list[Any]) -> dict[str, Any]:
    metrics = {"metrics/select.json": {"data": {"family": "ridge", "cv_rmse": cv_rmse}}}
    return {
        "metrics": metrics,
        "params": {"params.yaml": {"data": {"train": {"families": {"ridge": {"alpha": alpha}}}}}},
    }


def experiment(name: str, cv_rmse: float, state: str = "success", log: Path | None = None) -> dict[str, Any]:
    executor = {"state": state, "local": {"log": str(log)} if log else None}
    return {"name": name, "revs": [{"data": data(cv_rmse, [1])}], "executor": executor}


def board(*experiments: dict[str, Any]) -> str:
    shown = [{"data": data(3.0, [1, 10]), "experiments": None}, {"experiments": list(experiments)}]
    return render(read(shown, "sweep-1", [KEY]), [KEY])


def test_the_best_is_first_and_named() -> None:
    """The experiment with the lowest cv_rmse heads the table, below the workspace, and is named with the way to it."""
    said = board(experiment("sweep-1-a", 2.9), experiment("sweep-1-b", 2.5), experiment("other", 1.0)).splitlines()
    assert [line.split() for line in said[:2]] == [
        ["experiment", "alpha", "family", "cv_rmse"],
        ["the", "workspace", "1,", "10", "ridge", "3.000"],
    ]
    assert [line.split()[0] for line in said[2:-1]] == ["sweep-1-b", "sweep-1-a"]
    assert said[-1] == "best: sweep-1-b, cv_rmse 2.500; take it with `dvc exp apply sweep-1-b`"


def test_equals_are_ranked_by_name() -> None:
    """The first by name of experiments with the same figure is the best; the workspace is better than its equals."""
    assert "best: sweep-1-a" in board(experiment("sweep-1-b", 2.5), experiment("sweep-1-a", 2.5))
    assert "no experiment is better than the workspace; the best is sweep-1-a" in board(experiment("sweep-1-a", 3.0))


def test_a_failed_one_is_last_with_its_reason(tmp_path: Path) -> None:
    """A failed experiment has no figure, although DVC shows that of its parent, and the error line of its log."""
    log = tmp_path / "log"
    log.write_text("> python -m stages.train ridge\nerror: params.yaml: bad alpha\nERROR: failed to reproduce\n")
    said = board(experiment("sweep-1-a", 0.1, "failed", log), experiment("sweep-1-b", 2.5)).splitlines()
    assert [line.split()[0] for line in said[2:4]] == ["sweep-1-b", "sweep-1-a"]
    assert said[3].split()[-1] == "failed"
    assert said[4] == "sweep-1-a failed: error: params.yaml: bad alpha"
    assert said[5].startswith("best: sweep-1-b")


def test_all_failed() -> None:
    """No experiment is the best where all failed, and each still has its line."""
    said = board(experiment("sweep-1-a", 0.1, "failed"))
    assert "sweep-1-a failed: it has no log" in said
    assert said.endswith("no experiment succeeded")
