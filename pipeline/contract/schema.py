"""The schema of a table: what each column is, means and may hold. Cleaning, training and the server share it."""

from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from pipeline.contract import paths
from pipeline.contract.column import Column, Text
from pipeline.contract.column_checks import mistakes
from pipeline.contract.columns import matrix_columns
from pipeline.contract.errors import PipelineError
from pipeline.contract.quotes import check_quotes
from pipeline.contract.yaml_config import build, nearest, read_mapping


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
        """The model's inputs: the columns with role feature, and a time with `parts`."""
        return tuple(column for column in self.columns if column.is_input)

    @property
    def others(self) -> tuple[Column, ...]:
        """The columns that are neither an input nor the target."""
        return tuple(column for column in self.columns if not column.is_input and column.role != "target")

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
        """Return the schema with these features ignored. They stay columns, so that a server accepts and skips them; a
        time stays the time, and loses its parts."""
        features = [column.name for column in self.features]
        for name in names:
            if name not in features:
                raise PipelineError(
                    f"params.yaml: features.exclude: {name!r} is no feature of {paths.SCHEMA}"
                    f"{nearest(name, features)}; the features are {', '.join(features)}"
                )
        columns = (_excluded(column) if column.name in names else column for column in self.columns)
        return _checked(replace(self, columns=tuple(columns)), "after features.exclude")


def load(path: Path | str = paths.SCHEMA) -> Schema:
    """Read the schema; raises PipelineError naming the column, the key, the value and what is allowed."""
    path = Path(path)
    content = read_mapping(path)
    columns = content.get("columns")
    if not isinstance(columns, dict) or not columns:
        raise PipelineError(f"{path}: expected a mapping 'columns' with one entry for each column of the table")
    check_quotes(columns, path)
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
    for mistake in mistakes(column):
        raise PipelineError(f"{where}: {mistake}")
    return column


def _excluded(column: Column) -> Column:
    return replace(column, parts=()) if column.role == "time" else replace(column, role="ignore")


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
    names = [column.name for column in matrix_columns(schema.features)]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise PipelineError(f"{where}: {repeated[0]!r} is a column and a part of a datetime: rename the column")
    return schema
