"""Imports run one way, and dvc.yaml and the Dockerfile name the rooms that a module imports."""

import ast
import functools
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


# Which rooms each room may import; a room may always import itself. `ops` and `stages` are below.
_LIBRARY = {"contract", "tables", "distributed"}
ROOMS = {
    "contract": set(),
    "tables": {"contract"},
    "distributed": {"contract", "tables"},
    "profiling": _LIBRARY,
    "cleaning": _LIBRARY,
    "training": _LIBRARY,
    "evaluation": _LIBRARY,
    "drift": _LIBRARY,
    "registry": _LIBRARY,
    "experiments": _LIBRARY | {"registry"},
    "gate": _LIBRARY | {"registry", "evaluation", "training", "drift"},
}
MODULES = {
    path: ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("stages", "pipeline", "ops", "api")
    for path in (ROOT / package).rglob("*.py")
}


def room(module: str) -> str:
    """`training` of pipeline.training.in_parts.linear; `stages`, `ops`, `api` or `api.commands` elsewhere."""
    package, _, rest = module.partition(".")
    inner = rest.partition(".")[0]
    return inner if package == "pipeline" else "api.commands" if module.startswith("api.commands") else package


@functools.cache
def imported(module: Path) -> frozenset[Path]:
    """The project's own modules that a module imports, anywhere in it; an empty `__init__` is none."""
    found: list[Path] = []
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute here"
            for alias in node.names:
                found += file_of(f"{node.module}.{alias.name}") or file_of(str(node.module))
        elif isinstance(node, ast.Import):
            for alias in node.names:
                found += file_of(alias.name)
    return frozenset(found)


def file_of(module: str) -> list[Path]:
    path = ROOT / module.replace(".", "/")
    return [p for p in (path.with_suffix(".py"), path / "__init__.py") if p.exists() and has_code(p)]


@functools.cache
def has_code(path: Path) -> bool:
    """Return whether a module holds more than its docstring."""
    return any(not isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body)


def closure(module: Path) -> set[Path]:
    seen = {module}
    waiting = [module]
    while waiting:
        new = set(imported(waiting.pop())) - seen
        seen |= new
        waiting += new
    return seen


def rooms_of(paths: set[Path]) -> set[str]:
    return {room(MODULES[path]) for path in paths}


@pytest.mark.parametrize("name", ROOMS)
def test_imports_run_one_way(name: str) -> None:
    """A room of the pipeline imports itself and the rooms below it, and nothing else of the project."""
    for path in (ROOT / "pipeline" / name).rglob("*.py"):
        assert rooms_of(set(imported(path))) <= ROOMS[name] | {name}, path


def test_every_room_has_its_place() -> None:
    """Each folder of pipeline/ stands in the picture of the imports."""
    assert {path.name for path in (ROOT / "pipeline").iterdir() if any(path.glob("*.py"))} == set(ROOMS)


def test_no_module_imports_a_command() -> None:
    """A stage imports no stage, nothing imports a command of ops/, and only ops/ imports the server's commands."""
    for path, module in MODULES.items():
        used = {MODULES[each] for each in imported(path)} - {module}
        assert not {name for name in used if name.startswith(("stages.", "ops."))}, module
        if room(module) != "ops":
            assert room(module).startswith("api") or "api" not in {room(name).partition(".")[0] for name in used}, (
                module
            )


def test_the_server_imports_one_room_of_the_pipeline() -> None:
    """The server imports pipeline/contract alone, and none of the commands beside it."""
    for path, module in MODULES.items():
        if room(module) == "api":
            assert rooms_of(set(imported(path))) <= {"api", "contract"}, module


def test_no_imports_go_round() -> None:
    """No module imports itself by way of others, an import inside of a function included."""
    graph = {path: {p for p in imported(path) if p != path} for path in MODULES}
    assert list(TopologicalSorter(graph).static_order())


def test_no_name_of_a_function_hides_a_module() -> None:
    """No parameter and no local variable has the name of a module of the project that its file imports."""
    for path in MODULES:
        tree = ast.parse(path.read_text())
        modules = {
            alias.asname or alias.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
            if (ROOT / f"{node.module}.{alias.name}".replace(".", "/")).with_suffix(".py").exists()
        }
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            names = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
            names |= {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            assert not names & modules, f"{path}: {function.name} hides {names & modules}"


@pytest.mark.parametrize("stage", GRAPH)
def test_deps_are_the_rooms_that_a_stage_imports(stage: str) -> None:
    """A stage's `deps` name its own module and each room that it imports, directly or not, and no other code."""
    needed = closure(ROOT / f"stages/{stage}.py") - {ROOT / f"stages/{stage}.py"}
    code = {dep for dep in GRAPH[stage]["deps"] if dep.startswith(("stages/", "pipeline/", "ops/", "api/"))}
    assert code == {f"stages/{stage}.py", *(f"pipeline/{name}" for name in rooms_of(needed))}


def test_judging_reruns_no_training() -> None:
    """Editing evaluation/, drift/, gate/, registry/, ops/ or api/ reruns no `train`, and no `clean`."""
    for stage in ("clean", "train"):
        assert not set(GRAPH[stage]["deps"]) & {f"pipeline/{n}" for n in ("evaluation", "drift", "gate", "registry")}
        assert not [dep for dep in GRAPH[stage]["deps"] if dep.startswith(("ops", "api"))]


@pytest.mark.parametrize("stage", GRAPH)
def test_a_stage_runs_as_its_module(stage: str) -> None:
    """Each stage's command is `python -m stages.<name>`."""
    assert GRAPH[stage]["cmd"].split(" $")[0] == f"python -m stages.{stage}"


def server_modules() -> list[Path]:
    return [path for path, module in MODULES.items() if room(module) == "api"]


def test_the_server_imports_light_libraries() -> None:
    """What the server imports needs neither pandas, pyarrow, scikit-learn, xgboost, scipy nor DVC."""
    heavy = re.compile(r"^\s*(?:import|from) (pandas|pyarrow|sklearn|xgboost|dvc|skl2onnx|scipy)\b", re.MULTILINE)
    used = {path for module in server_modules() for path in closure(module)}
    assert used
    assert {path.name: heavy.findall(path.read_text()) for path in used if heavy.search(path.read_text())} == {}


def test_the_image_has_what_the_server_imports() -> None:
    """The Dockerfile copies the server and the rooms of the pipeline that it imports, no other."""
    copied = set(re.findall(r"(?m)^COPY (pipeline/\w+) ", (ROOT / "Dockerfile").read_text()))
    needed = {path for module in server_modules() for path in closure(module)}
    assert copied == {f"pipeline/{name}" for name in rooms_of(needed) - {"api"}}
