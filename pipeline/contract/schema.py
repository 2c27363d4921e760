"""The schema of a table: what each column is, means and may hold. Cleaning, training and the server share it."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec.structs import replace

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.yaml_config import build, nearest, read_mapping

# The pipeline's own columns in the clean tables and the reference sample.
RESERVED = ("row", "fold", "prediction", "residual")

Text = Annotated[str, msgspec.Meta(min_length=1)]


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One column. `min` and `max` are inclusive and in `unit`; a category's code is its place in `categories`.
    `missing`: the column's own missing markers. `other`: one of `categories`, as which any unlisted text is read."""

    name: Text
    dtype: Literal["float", "int", "bool", "category"]
    role: Literal["feature", "target", "id", "time", "group", "split", "ignore"] = "feature"
    unit: str = ""
    description: str = ""
    min: float | None = None
    max: float | None = None
    categories: tuple[Text, ...] = ()
    other: str = ""
    missing: tuple[Text, ...] = ()
    nullable: bool = False


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The origin of the table, its licence, and what a reader must know about it."""

    origin: Text
    licence: Text
    notes: tuple[Text, ...] = ()


class Schema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The columns of a table in the order of the file."""

    version: Literal[1]
    source: Source
    columns: tuple[Column, ...]

    @property
    def features(self) -> tuple[Column, ...]:
        return self.with_role("feature")

    @property
    def target(self) -> Column:
        return self.with_role("target")[0]

    @property
    def used(self) -> tuple[Column, ...]:
        """All columns but those with role ignore."""
        return tuple(column for column in self.columns if column.role != "ignore")

    def with_role(self, role: str) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.role == role)

    def excluding(self, names: tuple[str, ...]) -> "Schema":
        """Return the schema with these features ignored. They stay columns, so that a server accepts and skips them."""
        features = [column.name for column in self.features]
        for name in names:
            if name not in features:
                raise PipelineError(
                    f"params.yaml: features.exclude: {name!r} is no feature of {paths.SCHEMA}"
                    f"{nearest(name, features)}; the features are {', '.join(features)}"
                )
        columns = (replace(column, role="ignore") if column.name in names else column for column in self.columns)
        return _checked(replace(self, columns=tuple(columns)), "after features.exclude")


def load(path: Path | str = paths.SCHEMA) -> Schema:
    """Read the schema; raises PipelineError naming the column, the key, the value and what is allowed."""
    path = Path(path)
    content = read_mapping(path)
    columns = content.get("columns")
    if not isinstance(columns, dict) or not columns:
        raise PipelineError(f"{path}: expected a mapping 'columns' with one entry for each column of the table")
    typed = {
        **content,
        "source": build(Source, content.get("source"), f"{path}: source"),
        "columns": [_column(name, keys, f"{path}: column {name!r}") for name, keys in columns.items()],
    }
    return _checked(build(Schema, typed, str(path)), str(path))


def _column(name: object, keys: object, where: str) -> Column:
    if not isinstance(name, str):
        raise PipelineError(f"{where}: a column's name must be text; write it in quotes")
    if not isinstance(keys, dict):
        raise PipelineError(f"{where}: expected keys such as dtype and unit, found {keys!r}")
    column = build(Column, {"name": name, **keys}, where)
    for mistake in _mistakes(column):
        raise PipelineError(f"{where}: {mistake}")
    return column


def _mistakes(column: Column) -> Iterator[str]:
    """Yield the faults of a column whose keys are valid one by one."""
    if column.name in RESERVED:
        yield "the name is reserved for the pipeline's own columns; rename it in the raw file"
    if column.dtype == "category" and column.role == "feature" and not column.categories:
        yield "key 'categories': expected the list of allowed values, found none"
    if column.dtype != "category" and column.categories:
        yield f"key 'categories': only for dtype category, found with dtype {column.dtype}"
    if len(set(column.categories)) != len(column.categories):
        yield f"key 'categories': a value is listed twice in {', '.join(column.categories)}"
    for key, bound in (("min", column.min), ("max", column.max)):
        if bound is not None and (column.dtype not in ("float", "int") or not math.isfinite(bound)):
            yield f"key {key!r}: expected a finite bound of a float or int column, found {bound!r}"
    if column.min is not None and column.max is not None and column.min > column.max:
        yield f"key 'min': expected at most max = {column.max!r}, found {column.min!r}"
    is_plain = not column.categories
    fits, expected = {
        "target": (column.dtype in ("float", "int"), "float or int"),
        "time": (column.dtype != "bool" and is_plain, "int or float, or category without categories for ISO 8601 text"),
        "id": (column.dtype in ("int", "category") and is_plain, "int, or category without categories for any text"),
        "group": (column.dtype in ("int", "category"), "int or category"),
        "split": (set(column.categories) == {"train", "test"}, "category with the categories train and test"),
    }.get(column.role, (True, ""))
    if not fits:
        yield f"a column with role {column.role} must be {expected}"
    # A row without its key has no place in the split, and one without its target teaches nothing.
    if column.nullable and column.role not in ("feature", "ignore"):
        yield f"a column with role {column.role} must be nullable: false"


def _checked(schema: Schema, where: str) -> Schema:
    targets = [column.name for column in schema.with_role("target")]
    if len(targets) != 1:
        raise PipelineError(f"{where}: expected one column with role target, found {', '.join(targets) or 'none'}")
    if not schema.features:
        raise PipelineError(f"{where}: expected at least one column with role feature, found none")
    for role in ("id", "time", "group", "split"):
        names = [column.name for column in schema.with_role(role)]
        if len(names) > 1:
            raise PipelineError(f"{where}: expected at most one column with role {role}, found {', '.join(names)}")
    return schema
