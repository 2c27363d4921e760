"""A schema as text: the YAML of its file, and lines that describe it to a reader."""

import math
import re
from typing import Any

import yaml

from pipeline.contract.column import Column
from pipeline.contract.schema import Schema

HEAD = """\
# A first guess by `python -m ops.schema infer`: fill in source, units and descriptions, and correct what is wrong.
# dtype float, int, bool, category or datetime; min and max are inclusive and in the unit; role feature (the default),
# target, id, time, group, split or ignore. `python -m ops.schema check` describes this file.
"""
_SHOWN_CATEGORIES = 4
_LONGEST = 36  # characters of a cell of a described column
_PLAIN = re.compile(r"(?![yn]$)[^\W\d](.*\w)?", re.I)
_MARKS = re.compile(r"[:#,{}\[\]]")
_STR = "tag:yaml.org,2002:str"


class _Flow(dict[str, Any]):
    """A mapping that YAML writes on one line."""


class _Dumper(yaml.SafeDumper):
    """A writer of YAML in which every reader finds text where the schema has text."""


def _represent_text(dumper: Any, text: str) -> yaml.ScalarNode:
    # PyYAML would leave `1e-05`, a number to YAML 1.2, and `y`, a boolean to YAML 1.1, without quotes.
    harmless = text.isprintable() and _PLAIN.fullmatch(text) and not _MARKS.search(text)
    plain = harmless and dumper.resolve(yaml.ScalarNode, text, (True, False)) == _STR
    return dumper.represent_scalar(_STR, text, style=None if plain else '"')


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(
    _Flow, lambda dumper, mapping: dumper.represent_mapping("tag:yaml.org,2002:map", mapping, flow_style=True)
)


def to_yaml(schema: Schema) -> str:
    """Return the text of a schema file, one line a column; `pipeline.contract.schema.load` reads it back unchanged."""
    source = schema.source
    parts: list[dict[str, Any]] = [
        {"version": schema.version},
        {"source": {"origin": source.origin, "licence": source.licence, "notes": list(source.notes)}},
        {"columns": {column.name: _Flow(_keys(column)) for column in schema.columns}},
    ]
    layout: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": math.inf, "default_flow_style": False}
    return HEAD + "\n".join(yaml.dump(part, Dumper=_Dumper, **layout) for part in parts)


def describe(schema: Schema) -> list[str]:
    """Return one line a column, then lines that say what decides the test split and the folds."""
    cells = [_row(column) for column in schema.columns]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
    return [*lines, "", *_split_rule(schema)]


def _keys(column: Column) -> dict[str, Any]:
    keys: dict[str, Any] = {"dtype": column.dtype, "unit": column.unit, "description": column.description}
    for key, bound in (("min", column.min), ("max", column.max)):
        if bound is not None:
            # A whole number without its point, as a person would write it.
            keys[key] = int(bound) if bound.is_integer() and abs(bound) < 1e15 else bound
    if column.categories:
        keys["categories"] = list(column.categories)
    if column.other:
        keys["other"] = column.other
    if column.missing:
        keys["missing"] = list(column.missing)
    if column.format:
        keys["format"] = column.format
    if column.parts:
        keys["parts"] = list(column.parts)
    if column.nullable:
        keys["nullable"] = True
    return keys if column.role == "feature" else keys | {"role": column.role}


def _row(column: Column) -> list[str]:
    start = [_cut(column.name), column.dtype, column.role, _cut(column.unit)]
    if column.role == "ignore":
        return [*start, "", "never read"]
    return [*start, _allowed(column), "may be missing" if column.nullable else "must be there"]


def _allowed(column: Column) -> str:
    if names := column.categories:
        more = f" and {len(names) - _SHOWN_CATEGORIES} more" if len(names) > _SHOWN_CATEGORIES else ""
        return ", ".join(map(_cut, names[:_SHOWN_CATEGORIES])) + more
    if column.is_moment:
        seen = f"; the model sees {', '.join(column.seen_parts)}" if column.seen_parts else ""
        return f"{column.format or 'ISO 8601 text'}{seen}"
    if column.dtype == "bool":
        return "true or false"
    if column.min is not None:
        return f"{column.min:,.15g} " + ("or more" if column.max is None else f"to {column.max:,.15g}")
    return "any value" if column.max is None else f"{column.max:,.15g} or less"


def _cut(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _LONGEST else one_line[: _LONGEST - 1] + "…"


def _split_rule(schema: Schema) -> list[str]:
    """Describe what `pipeline.tables.splitting.assign` does with this schema."""
    name = {column.role: column.name for column in schema.columns}
    by_hash = "a hash of the features, so that equal rows stay together"
    if "group" in name:
        by_hash = f"a hash of {name['group']} (role group), so that its rows stay together"
    elif "id" in name:
        by_hash = f"a hash of {name['id']} (role id)"
    test = folds = by_hash
    if "time" in name:
        late = " (a group is as late as its latest row)" if "group" in name else ""
        test = f"the latest rows by {name['time']} (role time){late}"
        folds = f"blocks of {name['time']} (role time): each is predicted from the earlier ones{late}"
    if "split" in name:
        test = f"the rows that {name['split']} (role split) calls test"
    return [f"test split: {test}", f"folds:      {folds}"]
