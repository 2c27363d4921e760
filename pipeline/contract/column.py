"""One column of a table: its type, its role, and what its cells may hold."""

from typing import Annotated, Literal, get_args

import msgspec

# The pipeline's own columns in the clean tables and the reference sample.
RESERVED = ("row", "fold", "prediction", "residual")

# What a model may see of a moment: `weekday` is 1 on Mondays, `yearday` 1 on 1 January, `days` counts from 1970.
Part = Literal["year", "month", "weekday", "hour", "yearday", "days"]
PARTS: tuple[Part, ...] = get_args(Part)

Text = Annotated[str, msgspec.Meta(min_length=1)]


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One column. `min` and `max` are inclusive and in `unit`; a category's code is its place in `categories`.
    `missing`: markers of a missing cell, besides the general ones. `other`: the category that unlisted text is read as.
    `format`: of a datetime's text, as strptime has it; ISO 8601 without. `parts`: those of a datetime that the model
    sees; without, all of a feature and none of a time.
    """

    name: Text
    dtype: Literal["float", "int", "bool", "category", "datetime"]
    role: Literal["feature", "target", "id", "time", "group", "split", "ignore"] = "feature"
    unit: str = ""
    description: str = ""
    min: float | None = None
    max: float | None = None
    categories: tuple[Text, ...] = ()
    other: str = ""
    missing: tuple[Text, ...] = ()
    nullable: bool = False
    format: str = ""
    parts: tuple[Part, ...] = ()

    @property
    def is_input(self) -> bool:
        """True for a column that the model sees: a feature, or a time of which it sees some parts."""
        return self.role == "feature" or (self.role == "time" and bool(self.parts))

    @property
    def is_moment(self) -> bool:
        """True for a column of dates or times; schemas without dtype datetime have times as categories."""
        return self.dtype == "datetime" or (self.dtype == "category" and self.role == "time")

    @property
    def seen_parts(self) -> tuple[Part, ...]:
        """The parts of a datetime that the model sees, in the order of PARTS."""
        seen = (self.parts or PARTS) if self.dtype == "datetime" and self.is_input else ()
        return tuple(part for part in PARTS if part in seen)
