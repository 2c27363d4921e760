"""What a run changed under Git, and which of it is a failure."""

import json
import shutil
from typing import Any

import pytest

from ops.changes import ABSENT, differences, table
from tests.conftest import Project
from tests.ops.gating import EVALUATION, edit_json


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ({"rmse": 2.5}, {"rmse": 2.5}, []),
        ({"rmse": 2.5}, {"rmse": 2.500001}, ["rmse: 2.5 -> 2.500001 (+4.0e-07) small"]),
        ({"rmse": 2.5}, {"rmse": 2.50001}, ["rmse: 2.5 -> 2.50001 (+4.0e-06)"]),
        ({"bias": -2.0}, {"bias": -1.0}, ["bias: -2.0 -> -1.0 (+5.0e-01)"]),
        ({"bias": 0.0}, {"bias": 1e-20}, ["bias: 0.0 -> 1e-20"]),
        ({"n": 10_000_000}, {"n": 10_000_001}, ["n: 10000000 -> 10000001 (+1.0e-07)"]),
        ({"n": 1}, {"n": True}, ["n: 1 -> True"]),
        ({"family": "ridge"}, {"family": "blend"}, ["family: ridge -> blend"]),
        ({"mape": 0.1, "a": 1}, {"mape": None, "b": 1}, ["mape: 0.1 -> None", "a: 1 -> absent", "b: absent -> 1"]),
        (
            {"p": {"alpha": [1, 2]}},
            {"p": {"alpha": [1, 3, 4]}},
            ["p.alpha.1: 2 -> 3 (+5.0e-01)", "p.alpha.2: absent -> 4"],
        ),
        ({}, {"p": {"q": 1}}, [f"p: {ABSENT} -> {{'q': 1}}"]),
    ],
)
def test_differences(old: Any, new: Any, shown: list[str]) -> None:
    """Floats may differ by 1e-6 of themselves; whole numbers, words, keys and types may not."""
    assert [f"{each}{' small' if each.small else ''}" for each in differences(old, new)] == shown


def test_a_run_that_changed_nothing(reproduced: Project) -> None:
    """After a run that gave the same, the command says so."""
    said = reproduced.ops("changes").stdout
    assert said.startswith("all figures are as in commit ")
    assert len(said.splitlines()) == 1


def test_hashes_and_last_digits_are_no_failure(reproduced: Project) -> None:
    """Another md5, another page and a figure's last digits are shown, with code 0."""
    edit_json(reproduced.path(EVALUATION), lambda m: m.update(rmse=m["rmse"] * (1 + 1e-8)))
    reproduced.path("models/model_card.md").write_text("other\n")
    lock = reproduced.path("dvc.lock")
    lock.write_text(
        lock.read_text().replace(
            "path: models/model.onnx\n      hash: md5\n      md5: ",
            "path: models/model.onnx\n      hash: md5\n      md5: 0",
        )
    )
    shown = reproduced.ops("changes").stdout.splitlines()
    assert [line.split(":")[0] for line in shown[:-1]] == [
        "dvc.lock differs",
        "metrics/evaluate.json differs",
        "  rmse",
        "models/model_card.md differs",
        "  md5 of models/model.onnx",
    ]
    assert shown[2].endswith("(+1.0e-08), in the last digits")


def test_another_figure_is_a_failure(reproduced: Project) -> None:
    """A figure that differs, and a metrics file that is gone or new, end with code 1, a line for each figure."""
    edit_json(reproduced.path(EVALUATION), lambda m: m.update(rmse=m["rmse"] * 1.01, family="other"))
    reproduced.path("metrics/train/ridge.json").rename(reproduced.path("metrics/train/new.json"))
    shown = reproduced.ops("changes", code=1).stdout
    count = len(json.loads(reproduced.path("metrics/train/new.json").read_text()))
    assert "(+1.0e-02)\n" in shown
    assert "metrics/train/new.json is new\n" in shown
    assert "metrics/train/ridge.json is gone\n" in shown
    assert f"\n{2 + 2 * count} figures not as in commit " in shown


def test_without_git(reproduced: Project) -> None:
    """Outside of a repository there is nothing to compare with, and the message says so."""
    shutil.rmtree(reproduced.path(".git"))
    assert "is no revision of a Git repository here" in reproduced.ops("changes", code=1).stderr


def test_locks_of_several_machines(reproduced: Project) -> None:
    """`--locks` prints a table of the hashes, one column a folder; it never fails."""
    lock = reproduced.path("dvc.lock").read_text()
    for name in ("linux", "macos"):
        reproduced.path(f"locks/{name}").mkdir(parents=True)
        reproduced.path(f"locks/{name}/dvc.lock").write_text(lock)
    shown = reproduced.ops("changes", "--locks", "locks/linux/dvc.lock", "locks/macos/dvc.lock").stdout
    assert shown.startswith("| output | linux | macos |\n| --- | --- | --- |\n| DATA_PROVENANCE.md | same |  |\n")
    locks = {"linux": {"a": "123456789", "b": "1"}, "macos": {"a": "abcdefghi"}}
    assert table(locks).splitlines()[2:] == ["| a | 12345678 | abcdefgh |", "| b | 1 | absent |"]
