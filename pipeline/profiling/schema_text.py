"""A schema as text: the YAML of its file, and an explanation for a reader."""

import math
import re
from typing import Any

import yaml

from pipeline.contract.schema import Column, Schema

HEAD = """\
# A first guess by `python -m ops.schema infer`: fill in source, units and descriptions, and correct what is wrong.
# dtype float, int, bool or category; min and max are inclusive and in the unit; role feature (the default), target, id,
# time, group, split or ignore. `python -m ops.schema check` explains this file.
"""
_SHOWN_CATEGORIES = 4
_LONGEST = 36
_PLAIN = re.compile(r"(?![yn]$)[^\W\d](.*\w)?", re.I)
_MARKS = re.compile(r"[:#,{}\[\]]")
_STR = "tag:yaml.org,2002:str"


class _Flow(dict[str, Any]):
    """A mapping that YAML writes on one line."""


class _Dumper(yaml.SafeDumper):
    """Text stays text, whoever reads it."""


def _represent_text(dumper: Any, text: str) -> yaml.ScalarNode:
    # `1e-05` is a number to pipeline.contract.yaml_config and `y` a boolean to YAML 1.1, but both are plain text to PyYAML.
    harmless = text.isprintable() and _PLAIN.fullmatch(text) and not _MARKS.search(text)
    plain = harmless and dumper.resolve(yaml.ScalarNode, text, (True, False)) == _STR
    return dumper.represent_scalar(_STR, text, style=None if plain else '"')


def _represent_flow(dumper: Any, mapping: _Flow) -> yaml.MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", mapping, flow_style=True)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(_Flow, _represent_flow)


def to_yaml(schema: Schema) -> str:
    """The file that `pipeline.contract.schema.load` reads back as the same schema; one line a column, in their order."""
    source = schema.source
    parts: list[dict[str, Any]] = [
        {"version": schema.version},
        {"source": {"origin": source.origin, "licence": source.licence, "notes": list(source.notes)}},
        {"columns": {column.name: _Flow(_keys(column)) for column in schema.columns}},
    ]
    layout: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": math.inf, "default_flow_style": False}
    return HEAD + "\n".join(yaml.dump(part, Dumper=_Dumper, **layout) for part in parts)


def explain(schema: Schema) -> list[str]:
    """One line a column, then what decides the test split and the folds."""
    cells = [_row(column) for column in schema.columns]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return [*lines, "", *_decided_by(schema)]


def _keys(column: Column) -> dict[str, Any]:
    keys: dict[str, Any] = {"dtype": column.dtype, "unit": column.unit, "description": column.description}
    keys |= {key: _short(bound) for key, bound in (("min", column.min), ("max", column.max)) if bound is not None}
    if column.categories:
        keys["categories"] = list(column.categories)
    if column.nullable:
        keys["nullable"] = True
    return keys if column.role == "feature" else keys | {"role": column.role}


def _short(bound: float) -> float | int:
    """A whole number without its point, as a person would write it."""
    return int(bound) if bound.is_integer() and abs(bound) < 1e15 else bound


def _row(column: Column) -> list[str]:
    low, high = (None if bound is None else _grouped(bound) for bound in (column.min, column.max))
    allowed = {
        (True, True): f"{low} to {high}",
        (True, False): f"{low} or more",
        (False, True): f"{high} or less",
    }.get((low is not None, high is not None), "true or false" if column.dtype == "bool" else "any value")
    if names := column.categories:
        more = f" and {len(names) - _SHOWN_CATEGORIES} more" if len(names) > _SHOWN_CATEGORIES else ""
        allowed = ", ".join(map(_cut, names[:_SHOWN_CATEGORIES])) + more
    if column.role == "time" and column.dtype == "category":
        allowed = "ISO 8601 text"
    if column.role == "ignore":
        return [_cut(column.name), column.dtype, column.role, _cut(column.unit), "", "never read"]
    missing = "may be missing" if column.nullable else "must be there"
    return [_cut(column.name), column.dtype, column.role, _cut(column.unit), allowed, missing]


def _grouped(bound: float) -> str:
    return f"{_short(bound):,}" if abs(bound) < 1e15 else f"{bound:.4g}"


def _cut(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _LONGEST else one_line[: _LONGEST - 1] + "…"


def _decided_by(schema: Schema) -> list[str]:
    """In the words of `pipeline.tables.splitting.assign`."""
    role = {column.role: column.name for column in schema.columns}
    if "group" in role:
        by_hash = f"a hash of {role['group']} (role group), so that its rows stay together"
    elif "id" in role:
        by_hash = f"a hash of {role['id']} (role id)"
    else:
        by_hash = "a hash of the features, so that equal rows stay together"
    late = " (a group is as late as its latest row)" if "group" in role else ""
    test = folds = by_hash
    if "time" in role:
        test = f"the latest rows by {role['time']} (role time){late}"
        folds = f"blocks of {role['time']} (role time): each is predicted from the earlier ones{late}"
    if "split" in role:
        test = f"the rows that {role['split']} (role split) calls test"
    return [f"test split: {test}", f"folds:      {folds}"]
