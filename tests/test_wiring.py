"""What the files say of each other is true: dvc.yaml of the modules, the Makefile and the README of the commands."""

import ast
import itertools
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from pipeline.contract import params
from tests.conftest import ROOT, Project

GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
FAMILIES = list(params.load("train", ROOT / "params.yaml").families)


def imported(module: Path) -> Iterator[Path]:
    """The project's own modules that a module names in its imports, anywhere in it."""
    for node in ast.walk(ast.parse(module.read_text())):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute here"
            names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            path = ROOT / name.replace(".", "/")
            yield from (p for p in (path.with_suffix(".py"), path / "__init__.py") if p.exists() and p.stat().st_size)


def closure(module: Path) -> set[Path]:
    seen = {module}
    waiting = [module]
    while waiting:
        new = set(imported(waiting.pop())) - seen
        seen |= new
        waiting += new
    return seen


def names(paths: set[Path]) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in paths}


@pytest.mark.parametrize("stage", GRAPH)
def test_deps_are_the_modules_that_a_stage_imports(stage: str) -> None:
    """A stage's `deps` name every module of the project that it imports, directly or not, and no other; a folder of
    modules stands for all that it holds."""
    named = [ROOT / dep for dep in GRAPH[stage]["deps"] if dep.startswith("stages/")]
    declared = {path for dep in named for path in (dep.rglob("*.py") if dep.is_dir() else [dep])}
    assert {path for path in declared if path.stat().st_size} == closure(ROOT / f"stages/{stage}.py")


@pytest.mark.parametrize("stage", GRAPH)
def test_a_stage_runs_as_its_module(stage: str) -> None:
    """Each stage's command is `python -m stages.<name>`."""
    assert GRAPH[stage]["cmd"].split(" $")[0] == f"python -m stages.{stage}"


def test_imports_run_one_way() -> None:
    """No stage imports another stage, a leaf imports no stage, and nothing in stages/ imports api/."""
    for module in (ROOT / "stages").rglob("*.py"):
        direct = names(set(imported(module)) - {module})
        if module.stem not in ("gate", "retrain", "registry"):
            assert not direct & {f"stages/{stage}.py" for stage in GRAPH}, module
        assert not {name for name in direct if name.startswith("api/")}, module


def server_modules() -> list[Path]:
    """All of `api` but the commands that run in the pipeline's environment."""
    return [path for path in (ROOT / "api").glob("*.py") if path.stem not in ("export", "score", "scoring")]


def test_the_server_imports_only_light_leaves() -> None:
    """What the server takes from the pipeline imports neither pandas, pyarrow, scikit-learn, xgboost nor dvc."""
    heavy = re.compile(r"^\s*(?:import|from) (pandas|pyarrow|sklearn|xgboost|dvc|skl2onnx|scipy)\b", re.MULTILINE)
    used = {path for module in server_modules() for path in closure(module)}
    assert used
    assert {path.name: heavy.findall(path.read_text()) for path in used if heavy.search(path.read_text())} == {}


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
    for module in commands(readme + makefile, r"python -m ((?:stages|api)[.\w]*)"):
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


def test_the_image_has_what_the_server_imports() -> None:
    """The Dockerfile copies exactly the pipeline's modules that `api` imports, directly or not."""
    copied = re.findall(r"(stages/\S+\.py)", (ROOT / "Dockerfile").read_text())
    needed = {path for module in server_modules() for path in closure(module)}
    assert set(copied) == {name for name in names(needed) if name.startswith("stages/")} | {"stages/__init__.py"}


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
