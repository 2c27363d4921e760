"""The decoder of a request body, made from the schema in the model file: JSON to the row of numbers of the model."""

import math
import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import astuple

from api.requests import diagnostics
from api.requests.diagnostics import Row
from api.requests.values import limits, to_own
from pipeline.contract.schema import Column, Schema


class Contract:
    """The decoder of one schema. All columns but the target are known; those that are no features are skipped."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._count = len(schema.features)
        self._decoder = _decoder(schema)
        others = [c.role for c in schema.columns if c.role not in ("feature", "target")]
        self._id = self._count + others.index("id") if "id" in others else None
        self._nullable = [(place, c.name) for place, c in enumerate(schema.features) if c.nullable]
        self._whole = [place for place, c in enumerate(schema.features) if c.dtype in ("int", "bool")]
        self._codes = [
            (place, {category: float(code) for code, category in enumerate(column.categories)})
            for place, column in enumerate(schema.features)
            if column.dtype == "category"
        ]

    def decode(self, body: bytes) -> Row:
        """The row in a body.

        Raises MalformedError where it is no JSON and RefusedError with all mistakes where it is no row.
        """
        if self._decoder is None:
            return diagnostics.read(body, self.schema)
        try:
            values = astuple(self._decoder.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # Wrong; or right in a way that msgspec does not know.
            return diagnostics.read(body, self.schema)
        numbers: list[Any] = list(values[: self._count])
        imputed, unset = [], 0
        for place, name in self._nullable:
            if numbers[place] is None or numbers[place] is UNSET:
                unset += numbers[place] is UNSET
                numbers[place] = math.nan
                imputed.append(name)
        for value in values[self._count :]:
            unset += value is UNSET
        # Each field has one colon. More of them: a key stands twice (msgspec keeps the last) or a text has one.
        if body.count(b":") != len(values) - unset:
            return diagnostics.read(body, self.schema)
        for place in self._whole:
            if type(numbers[place]) is float and numbers[place] % 1 > 0:  # not so of NaN, which is missing
                return diagnostics.read(body, self.schema)
        for place, codes in self._codes:
            if isinstance(numbers[place], str):
                numbers[place] = codes[numbers[place]]
        return Row(numbers, imputed, to_own(values[self._id]) if self._id else None)


def _decoder(schema: Schema) -> msgspec.json.Decoder[Any] | None:
    """A decoder of a structure with the features first, in order; None where msgspec cannot hold a column's name."""
    others = [c for c in schema.columns if c.role not in ("feature", "target")]
    if any(re.search(r'["\\\x00-\x1f]', column.name) for column in schema.columns):
        return None
    fields: list[Any] = []
    for column in schema.features:
        kind = _kind(column)
        # Unset and null are told apart only to count the colons.
        optional = (f"f{len(fields)}", kind | None | UnsetType, UNSET)
        fields.append(optional if column.nullable else (f"f{len(fields)}", kind))
    # Decoded and not skipped: msgspec does not check the UTF-8 of what it skips.
    fields += [(f"f{len(fields) + place}", Any, UNSET) for place in range(len(others))]
    names = [column.name for column in (*schema.features, *others)]
    structure = msgspec.defstruct(
        "Row",
        fields,
        rename={field[0]: name for field, name in zip(fields, names, strict=True)},
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )
    return msgspec.json.Decoder(structure)


def _kind(column: Column) -> Any:
    if column.dtype == "category":
        return Literal[column.categories]
    if column.dtype == "bool":
        return bool | Annotated[int, Meta(ge=0, le=1)] | Annotated[float, Meta(ge=0, le=1)]
    low, high = limits(column)
    if column.dtype == "int":
        # 24.0 is an integer too; 24.5 is seen later.
        return Annotated[int, Meta(ge=math.ceil(low), le=math.floor(high))] | Annotated[float, Meta(ge=low, le=high)]
    return Annotated[float, Meta(ge=low, le=high)]
