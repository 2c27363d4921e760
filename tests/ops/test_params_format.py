"""params.yaml after an experiment, as a user runs one."""

import yaml

from tests.conftest import Project


def test_an_experiment_keeps_the_format_of_params(reproduced: Project) -> None:
    """`dvc exp run -S` and `dvc exp apply` write lists over several lines; `python -m ops.repair`, which `make repro`
    runs, keeps their values and brings back comments and lists in one line; no stage has to run again."""
    path = reproduced.path("params.yaml")
    committed = yaml.safe_dump(yaml.safe_load(path.read_text()), default_flow_style=None, sort_keys=False)
    committed = committed.replace("alpha: [1, 10]", "alpha: [1, 10]  # of ridge")
    path.write_text(committed)
    reproduced.commit("in one line")
    expected = committed.replace("[1, 10] ", "[1, 50] ")
    for command in (
        ("exp", "run", "--name", "tried", "-S", "train.families.ridge.alpha=[1,50]"),
        ("exp", "apply", "tried"),
    ):
        reproduced.run("git", "checkout", "-q", ".")
        reproduced.dvc(*command)
        assert "- 50\n" in path.read_text()
        assert "params.yaml was written by DVC" in reproduced.ops("repair").stdout
        assert path.read_text() == expected != committed
        assert "up to date" in reproduced.dvc("status").stdout
        assert reproduced.ops("repair").stdout == ""
