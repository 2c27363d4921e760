"""Files that name one another agree: dvc.yaml and params.yaml, the README and the Makefile, the locks."""

import itertools
import re
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pandas as pd
import pytest

from pipeline.contract import params
from tests.conftest import ROOT, Project
from tests.test_wiring import GRAPH

FAMILIES = list(params.load("train", ROOT / "params.yaml").families)


def expanded(declared: list[str], family: str) -> set[str]:
    """The keys that a stage's `params` stand for: a whole section is all of its keys."""
    keys: set[str] = set()
    for name in declared:
        name = name.replace("${item.family}", family)
        fields = msgspec.structs.fields(params.SECTIONS[name]) if name in params.SECTIONS else ()
        keys |= {f"{name}.{field.name}" for field in fields} or {name}
    return keys


class Watched(dict[str, Any]):
    """The families of a section; says which of them is read, or that all their names are."""

    def __init__(self, content: dict[str, Any], read: set[str]) -> None:
        super().__init__(content)
        self.read = read

    def __getitem__(self, key: str) -> Any:
        self.read.add(f"train.families.{key}")
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[str]:
        self.read.add("train.families")
        return super().__iter__()

    def keys(self) -> Any:
        self.read.add("train.families")
        return super().keys()


def watch(monkeypatch: pytest.MonkeyPatch, read: set[str]) -> None:
    """From here on, every parameter that is read is noted in `read`."""
    for section, kind in params.SECTIONS.items():

        def note(self: Any, name: str, section: str = section, kind: type = kind) -> Any:
            value = object.__getattribute__(self, name)
            if name in kind.__struct_fields__:  # type: ignore[attr-defined]
                if isinstance(value, dict):
                    return Watched(value, read)
                read.add(f"{section}.{name}")
            return value

        watched = type(kind.__name__, (kind,), {"__getattribute__": note}, frozen=True)  # type: ignore[call-overload]
        monkeypatch.setitem(params.SECTIONS, section, watched)


@pytest.mark.parametrize(("stage", "family"), [(s, f) for s in GRAPH for f in (FAMILIES if s == "train" else [""])])
def test_params_are_those_that_a_stage_reads(
    stage: str, family: str, reproduced: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage's `params` in dvc.yaml are exactly the keys of params.yaml that its run reads."""
    read: set[str] = set()
    module = __import__(f"stages.{stage}", fromlist=["main"])
    if family:
        reproduced.edit_params(lambda p: p["train"]["families"].setdefault(family, {}))
    if stage == "drift":  # without live rows there is nothing to decide by most of them
        shutil.copy(reproduced.path("data/clean/test.parquet"), reproduced.path("data/live/rows.parquet"))
    if stage == "select":  # members with opposite errors: where no blend is better, its limits are not read
        ridge, xgboost = (reproduced.path(f"models/candidates/{name}.oof.parquet") for name in ("ridge", "xgboost"))
        table = pd.read_parquet(ridge)
        table.assign(prediction=table["prediction"] + 2 * table["residual"]).to_parquet(xgboost)
    monkeypatch.chdir(reproduced.folder)
    monkeypatch.setattr(sys, "argv", [stage, *([family] if family else [])])
    watch(monkeypatch, read)
    module.main()
    assert read == expanded(GRAPH[stage].get("params", []), family)


def commands(text: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, text))


def test_every_command_of_the_readme_exists() -> None:
    """Each `make` target and each `python -m` module that the README or the Makefile names is there."""
    makefile = (ROOT / "Makefile").read_text()
    targets = commands(makefile, r"(?m)^([a-z][a-z-]*):")
    readme = (ROOT / "README.md").read_text()
    assert commands(readme, r"(?m)(?:^|`|\$ )make ([a-z][a-z-]*)") <= targets
    for module in commands(readme + makefile, r"python -m ((?:stages|ops|api)[.\w]*)"):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_every_target_says_what_it_does() -> None:
    """`make` alone lists every target with its line of help."""
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"\.PHONY: (.*)", makefile)[1].split())  # type: ignore[index]
    assert commands(makefile, r"(?m)^([a-z][a-z-]*):.*## \w") | {"help", "model"} == phony


def test_every_param_has_its_comment() -> None:
    """Each key of params.yaml stands under a comment with its meaning, and is one that the code knows."""
    lines = (ROOT / "params.yaml").read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r"^ {2,}\w+:", line) and not re.match(r"^    \w+:$", line):
            assert before.strip().startswith("#"), line
    for section in params.SECTIONS:
        params.load(section, ROOT / "params.yaml")  # type: ignore[call-overload]


def pins(group: str) -> dict[str, str]:
    lines = (ROOT / f"requirements/{group}.txt").read_text().splitlines()
    return dict(line.split(" ")[0].split("==") for line in lines if "==" in line)


def test_locks_agree_and_name_no_index() -> None:
    """The locks hold the same versions, every package with hashes, and neither an index nor a path."""
    assert pins("serve").items() <= pins("pipeline").items() <= pins("dev").items()
    for group in ("serve", "pipeline", "dev"):
        text = (ROOT / f"requirements/{group}.txt").read_text()
        assert not re.search(r"https?://|file:|--(extra-)?index|--find-links", text)
        assert len(re.findall(r"(?m)^\S+==[^\n]*\\\n    --hash=sha256:", text)) == len(pins(group))
