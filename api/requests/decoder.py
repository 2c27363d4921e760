"""The fast decoder of a request body, made from the schema in the model file: JSON to the model's row of numbers."""

import math
import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import astuple

from api.requests import diagnostics
from api.requests.diagnostics import Row
from api.requests.values import InvalidValueError, is_time, limits, missing, to_number, to_numbers, to_own
from pipeline.contract import cells
from pipeline.contract.column import Column
from pipeline.contract.schema import Schema


class Contract:
    """The decoder of one schema. All columns but the target are known; those that are no features are skipped."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        features, self._count = schema.features, len(schema.features)
        others = schema.others
        roles = [column.role for column in others]
        self._id = self._count + roles.index("id") if "id" in roles else None
        self._times = [(self._count + k, column) for k, column in enumerate(others) if column.role == "time"]
        self._decoder = _decoder(features, others)
        self._nullable = [(place, column.name) for place, column in enumerate(features) if column.nullable]
        self._whole = [place for place, column in enumerate(features) if column.dtype in ("int", "bool")]
        self._markers = [(k, markers) for k, c in enumerate(features) if (markers := cells.words(c).numbers)]
        self._codes = [
            (place, {category: to_number(category, column) for category in column.categories})
            for place, column in enumerate(features)
            if column.dtype == "category"
        ]
        dates = [(place, column) for place, column in enumerate(features) if column.dtype == "datetime"]
        self._dates = dates[::-1]  # a date becomes several numbers, which move what follows

    def decode(self, body: bytes, listed: int = diagnostics.MOST_MISTAKES) -> Row:
        """Return the row in a body.

        Raises MalformedError where it is no JSON and RefusedError, with at most `listed` mistakes, where it is no row.
        """
        if self._decoder is None:
            return diagnostics.read(body, self.schema, listed)
        try:
            values = astuple(self._decoder.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # Wrong; or right in a way that msgspec does not know, such as `1` for the category `1`.
            return diagnostics.read(body, self.schema, listed)
        numbers: list[Any] = list(values[: self._count])
        imputed, unset = [], 0
        for place, name in self._nullable:
            if numbers[place] is None or numbers[place] is UNSET:
                unset += numbers[place] is UNSET
                numbers[place] = math.nan
                imputed.append(name)
        for value in values[self._count :]:
            unset += value is UNSET
        # Each field has one colon. With more, a key stands twice (msgspec keeps the last) or a text has one.
        if body.count(b":") != len(values) - unset:
            return diagnostics.read(body, self.schema, listed)
        for place in self._whole:
            if type(numbers[place]) is float and numbers[place] % 1 > 0:  # false for NaN, a missing value
                return diagnostics.read(body, self.schema, listed)
        if any(numbers[place] in markers for place, markers in self._markers):
            return diagnostics.read(body, self.schema, listed)
        if not all(values[place] is UNSET or is_time(values[place], column) for place, column in self._times):
            return diagnostics.read(body, self.schema, listed)
        for place, codes in self._codes:
            if isinstance(numbers[place], str):
                numbers[place] = codes[numbers[place]]
        for place, column in self._dates:
            try:
                parts = missing(column) if column.name in imputed else to_numbers(numbers[place], column)
            except InvalidValueError:
                return diagnostics.read(body, self.schema, listed)
            if math.isnan(parts[0]) and column.name not in imputed:  # the text is a marker of a missing value
                return diagnostics.read(body, self.schema, listed)
            numbers[place : place + 1] = parts
        return Row(numbers, imputed, to_own(values[self._id]) if self._id else None)


def _decoder(features: tuple[Column, ...], others: tuple[Column, ...]) -> msgspec.json.Decoder[Any] | None:
    """Return a decoder of a structure with these fields in order; None where msgspec cannot hold a column's name."""
    names = [column.name for column in (*features, *others)]
    if any(re.search(r'["\\\x00-\x1f]', name) for name in names):
        return None
    # Unset and null are told apart only to count the colons.
    kinds = [(_kind(column) | None | UnsetType, UNSET) if column.nullable else (_kind(column),) for column in features]
    # Decoded and not skipped: msgspec does not check the UTF-8 of what it skips.
    kinds += [(Any, UNSET)] * len(others)
    structure = msgspec.defstruct(
        "Row",
        [(f"f{place}", *kind) for place, kind in enumerate(kinds)],
        rename={f"f{place}": name for place, name in enumerate(names)},
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )
    return msgspec.json.Decoder(structure)


def _kind(column: Column) -> Any:
    if column.dtype == "datetime":
        return str
    if column.dtype == "category":
        return Literal[column.categories]
    if column.dtype == "bool":
        return bool | Annotated[int, Meta(ge=0, le=1)] | Annotated[float, Meta(ge=0, le=1)]
    low, high = limits(column)
    if column.dtype == "int":
        # 24.0 is an integer too; `decode` refuses 24.5.
        return Annotated[int, Meta(ge=math.ceil(low), le=math.floor(high))] | Annotated[float, Meta(ge=low, le=high)]
    return Annotated[float, Meta(ge=low, le=high)]
