"""A generated table of any size, seeded, with categories and missing values; and its schema."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import yaml

_CELLS = 2**21  # that are made at a time
CATEGORIES = ("north", "east", "south", "west", "centre")


def write(table: Path, schema: Path, rows: int, features: int) -> None:
    """`x0`, `x1`, ... of which every fifth is a category and every third may be missing (2 % are), and the target `y`:
    linear in the numbers, a step by the first category, one product, noise."""
    names = [f"x{place}" for place in range(features)]
    text = {name for place, name in enumerate(names) if place % 5 == 4}
    nullable = {name for place, name in enumerate(names) if place % 3 == 2}
    kinds = {
        name: {"dtype": "category", "categories": list(CATEGORIES)} if name in text else {"dtype": "float"}
        for name in names
    }
    columns = {name: {**kinds[name], "nullable": name in nullable} for name in names} | {
        "y": {"dtype": "float", "role": "target"}
    }
    content = {"version": 1, "source": {"origin": "generated", "licence": "none"}, "columns": columns}
    schema.write_text(yaml.safe_dump(content, sort_keys=False))
    random = np.random.default_rng(1)
    weights = random.normal(size=features)
    form = pa.schema([(name, pa.string() if name in text else pa.float64()) for name in (*names, "y")])
    size = _CELLS // features
    with pa.csv.CSVWriter(table, form) as file:
        for start in range(0, rows, size):
            file.write_table(_part(random, min(size, rows - start), weights, form, nullable))


def _part(random: np.random.Generator, rows: int, weights: np.ndarray, form: pa.Schema, nullable: set[str]) -> pa.Table:
    numbers = random.normal(size=(rows, len(weights))).round(4)
    codes = random.integers(0, len(CATEGORIES), (rows, len(weights)))
    target = numbers @ weights + 5.0 * (codes[:, 4 % len(weights)] == 1) + numbers[:, 0] * numbers[:, 1]
    columns = []
    for place, field in enumerate(list(form)[:-1]):
        values = np.array(CATEGORIES)[codes[:, place]] if field.type == pa.string() else numbers[:, place]
        missing = random.random(rows) < 0.02 if field.name in nullable else None
        columns.append(pa.array(values, field.type, mask=missing))
    columns.append(pa.array((target + random.normal(size=rows)).round(4)))
    return pa.table(columns, schema=form)
