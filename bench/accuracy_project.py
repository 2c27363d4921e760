"""The product in `bench accuracy`: the stages as `dvc repro` runs them, in a temporary project with a given split."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from msgspec.structs import replace

from bench.accuracy_tables import Table
from pipeline.contract import paths
from pipeline.contract.column import Column
from pipeline.contract.onnx_model import Model
from pipeline.contract.schema import Schema
from pipeline.profiling.schema_text import to_yaml
from pipeline.tables import parquet
from pipeline.tables.feature_matrix import to_matrix

ROOT = Path(__file__).parent.parent
SPLIT = "the benchmark's split"


def write(folder: Path, table: Table, train: np.ndarray, test: np.ndarray) -> None:
    """Write a project with the params.yaml of this one, whose raw table has these rows alone and says which of them are
    the test split."""
    raw = table.raw.iloc[np.concatenate([train, test])].assign(**{SPLIT: ["train"] * len(train) + ["test"] * len(test)})
    (folder / paths.RAW).mkdir(parents=True)
    raw.to_parquet(folder / paths.RAW / "table.parquet", index=False)
    (folder / paths.SCHEMA).write_text(to_yaml(_with_split(table.schema)), encoding="utf-8")
    content = yaml.safe_load(paths.PARAMS.read_text())
    content["features"]["exclude"] = []  # they are of the project's own table, whose schema has them ignored here
    _save(folder, content)


def run(folder: Path) -> None:
    """Run the stages that make the model."""
    for stage in (["clean"], *(["train", family] for family in _families(folder)), ["select"]):
        _stage(folder, *stage)


def without(folder: Path, family: str, copy: Path) -> bool:
    """Make a copy of a project that ran, and let it select again from all families but one; False where that is all."""
    shutil.copytree(folder, copy, copy_function=os.link)  # the stages replace files, and change none
    content = yaml.safe_load((copy / paths.PARAMS).read_text())
    del content["train"]["families"][family]
    (copy / paths.PARAMS).unlink()
    _save(copy, content)
    if _families(copy):
        _stage(copy, "select")
    return bool(_families(copy))


def predict(folder: Path) -> np.ndarray:
    """Return the answers of the model file to the test rows."""
    model = Model.load(folder / paths.MODEL)
    return model.predict(to_matrix(rows(folder, paths.TEST), model.description.columns))[:, 0]


def rows(folder: Path, table: Path) -> pd.DataFrame:
    return parquet.read(folder / table)


def weights(folder: Path) -> dict[str, float]:
    """Return the weight of each family in the model file."""
    members = Model.load(folder / paths.MODEL).description.members
    families = dict.fromkeys([each.family for each in members], 0.0)
    for each in members:
        families[each.family] += each.weight
    return families


def _with_split(about: Schema) -> Schema:
    """A split that the user gave is one feature less, and not the one that is compared on."""
    columns = (replace(column, role="ignore") if column.role == "split" else column for column in about.columns)
    return replace(about, columns=(*columns, Column(SPLIT, "category", role="split", categories=("train", "test"))))


def _families(folder: Path) -> list[str]:
    return list(yaml.safe_load((folder / paths.PARAMS).read_text())["train"]["families"])


def _save(folder: Path, content: dict[str, Any]) -> None:
    (folder / paths.PARAMS).write_text(yaml.safe_dump(content, sort_keys=False))


def _stage(folder: Path, name: str, *arguments: str) -> None:
    command = [sys.executable, "-m", f"stages.{name}", *arguments]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed in {folder}:\n{done.stdout}\n{done.stderr}")
