"""The stages on large tables, with both engines: wall time and memory, against floors that are measured beside them.

    python -m bench.scale 100000 1000000 100000x500

Each size is rows, or rows x features; every fifth feature is a category. The grids are one setting a family, so that
times are those of fits; with Dask all tables are in parts, whatever engine.in_memory_rows says of the shipped project.
Exponents are between a size and the last one with as many features: 1 is twice the time for twice the rows.
"""

import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from bench import memory, scale_table
from bench.memory import Cost

ROOT = Path(__file__).parent.parent
FAMILIES = {
    "linear": {},
    "ridge": {"alpha": [1]},
    "xgboost": {"n_estimators": [100], "max_depth": [6], "learning_rate": [0.1], "subsample": [1.0]},
}
STAGES = (
    ("clean", ["stages.clean"]),
    *((f"train {family}", ["stages.train", family]) for family in FAMILIES),
    ("select", ["stages.select"]),
    ("evaluate", ["stages.evaluate"]),
    ("drift", ["stages.drift"]),
    ("score", ["api.commands.score", "data/raw/table.csv", "scores.parquet", "--model", "models/model.onnx"]),
)
FLOORS = (("pyarrow: CSV to Parquet", "csv", "clean"), ("xgboost alone, the same fits", "xgboost", "train xgboost"))


def lines(sizes: list[tuple[int, int]], engines: list[str]) -> Iterator[str]:
    """The table in Markdown, a line as soon as it is measured."""
    yield "| rows | features | what | engine | seconds | CPU, s | largest process, MB | all, MB | exponent | to floor |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    seen: dict[tuple[int, str, str], tuple[int, float]] = {}
    for rows, features in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _project(folder, rows, features)
            floors: dict[str, float] = {}
            for what, engine, cost in _measured(folder, engines, floors):
                if isinstance(cost, str):
                    yield f"| {rows} | {features} | {what} | {engine} | {cost} | | | | | |"
                    continue
                key = (features, what, engine)
                fewer, faster = seen.get(key, (rows, cost.seconds))
                exponent = math.log(cost.seconds / faster) / math.log(rows / fewer) if rows > fewer else None
                seen[key] = (rows, cost.seconds)
                ratio = f"{cost.seconds / floors[what]:.2f}" if what in floors else ""
                figures = f"{cost.seconds:.1f} | {cost.cpu:.1f} | {cost.largest:.0f} | {cost.all:.0f}"
                yield (
                    f"| {rows} | {features} | {what} | {engine} | {figures} | "
                    f"{'' if exponent is None else f'{exponent:.2f}'} | {ratio} |"
                )


def _measured(folder: Path, engines: list[str], floors: dict[str, float]) -> Iterator[tuple[str, str, Cost | str]]:
    """What was run, by which engine, and its cost or why there is none; fills `floors` by stage."""
    for engine in engines:
        _use(folder, engine)
        for what, command in STAGES:
            for floor, kind, stage in FLOORS:
                if stage == what and stage not in floors:
                    cost = _run(folder, ["bench.scale_floor", kind])
                    if isinstance(cost, Cost):
                        floors[stage] = cost.seconds
                    yield floor, "none", cost
            more = ["--engine", "dask"] if what == "score" and engine == "dask" else []
            yield what, engine, _run(folder, [*command, *more])


def _run(folder: Path, command: list[str]) -> Cost | str:
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen([sys.executable, "-m", *command], cwd=folder, stdout=output, stderr=output)
        cost = memory.watch(process)
        output.seek(0)
        said = output.read().strip().splitlines()
    return cost if process.returncode == 0 else f"failed: {said[-1] if said else ''}"


def _project(folder: Path, rows: int, features: int) -> None:
    """A project with that table; nothing of it is in Git or DVC."""
    for name in ("stages", "pipeline", "api", "bench"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("data/raw", "data/live"):
        (folder / name).mkdir(parents=True)
    scale_table.write(folder / "data/raw/table.csv", folder / "data/schema.yaml", rows, features)
    os.link(folder / "data/raw/table.csv", folder / "data/live/table.csv")


def _use(folder: Path, engine: str) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["engine"] |= {"name": engine, "in_memory_rows": 1 if engine == "dask" else 10**12}
    content["train"]["families"] = FAMILIES
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    for name in ("data/clean", "models", "metrics", "scores.parquet"):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _size(text: str) -> tuple[int, int]:
    rows, _, features = text.partition("x")
    return int(float(rows)), int(features or 13)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=_size, metavar="SIZE", help="1e6 or 1e5x500 (default: 1e5 1e6)")
    parser.add_argument("--engine", choices=("pandas", "dask"), help="default: both")
    arguments = parser.parse_args()
    engines = [arguments.engine] if arguments.engine else ["pandas", "dask"]
    for line in lines(arguments.sizes or [(10**5, 13), (10**6, 13)], engines):
        print(line, flush=True)


if __name__ == "__main__":
    main()
