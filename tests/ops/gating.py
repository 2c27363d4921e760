"""What tests of the gate share: its verdict, what it recorded, and the files that they spoil."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import Project

CHAMPION, MODEL = "models/champion.onnx", "models/model.onnx"
EVALUATION = "metrics/evaluate.json"


def gate(project: Project, *arguments: str, code: int) -> dict[str, Any]:
    """The verdict as --json, with its checks by name."""
    found = json.loads(project.ops("gate", "--json", *arguments, code=code).stdout)
    return found | {"checks": {check["name"]: check["passed"] for check in found["checks"]}}


def history(project: Project) -> list[dict[str, Any]]:
    return [json.loads(line) for line in project.path("metrics/history.jsonl").read_text().splitlines()]


def edit_json(path: Path, change: Callable[[dict], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
