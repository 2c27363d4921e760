"""One column of a table: its type, its role, and what its cells may hold."""

from typing import Annotated, Literal

import msgspec

# The pipeline's own columns in the clean tables and the reference sample.
RESERVED = ("row", "fold", "prediction", "residual")

Text = Annotated[str, msgspec.Meta(min_length=1)]


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One column. `min` and `max` are inclusive and in `unit`; a category's code is its place in `categories`.
    `missing`: markers of a missing cell, besides the general ones. `other`: the category that unlisted text is read as.
    """

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
