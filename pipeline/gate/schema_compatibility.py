"""The compatibility of two model files' schemas: does the server still accept every input that it accepted?

The rules are those of api/requests/decoder.py: every column but the target is known; features are checked, and required
unless nullable; a time of which the model sees no parts is checked where it is sent; the other columns may hold
anything, or be absent.
"""

from msgspec.structs import replace

from pipeline.contract.column import Column
from pipeline.contract.number_text import plain
from pipeline.contract.schema import Schema


def narrower(before: Schema, after: Schema) -> list[str]:
    """List what callers may send under `before` and no longer under `after`, one phrase each."""
    known = {column.name: column for column in before.columns if column.role != "target"}
    taken = {column.name: column for column in after.columns if column.role != "target"}
    lost = [f"{name} is no longer known" for name in known if name not in taken]
    for column in after.features:
        if column.name not in known:
            lost += [] if column.nullable else [f"{column.name} is new and required"]
        else:
            lost += _of_known(known[column.name], column)
    for column in after.with_role("time"):
        if column.name in known and not column.is_input:
            lost += _of_known(known[column.name], replace(column, nullable=True))
    return lost


def _of_known(before: Column, after: Column) -> list[str]:
    if before.role == "time" and not before.is_input:
        before = replace(before, nullable=True)  # it may be left out
    elif not before.is_input:
        what = "a feature" if after.role == "feature" else "the time"
        return [f"{after.name} is now {what}, before anything or nothing was accepted for it"]
    return _narrower(before, after)


def _narrower(before: Column, after: Column) -> list[str]:
    name = before.name
    if before.is_moment and after.is_moment:
        if before.format != after.format:
            return [f"{name} is written as {after.format or 'ISO 8601'}, was {before.format or 'ISO 8601'}"]
    elif before.dtype != after.dtype and (before.dtype, after.dtype) != ("int", "float"):
        return [f"{name} is {after.dtype}, was {before.dtype}"]
    lost = [f"{name} may no longer be missing"] if before.nullable and not after.nullable else []
    if before.other and not after.other:
        lost.append(f"{name} may no longer be text that its categories do not list")
    gone = [] if after.other else [category for category in before.categories if category not in after.categories]
    # A marker is refused where the column may not be missing, or where it is a marker no longer.
    gone += [marker for marker in after.missing if marker not in before.missing and not after.nullable]
    gone += [marker for marker in before.missing if marker not in after.missing and before.nullable]
    if gone:
        lost.append(f"{name} may no longer be {', '.join(gone)}")
    for word, sign, old, new in (("least", 1, before.min, after.min), ("most", -1, before.max, after.max)):
        if new is not None and (old is None or sign * new > sign * old):
            lost.append(f"{name} must be at {word} {plain(new)}, was {'unbounded' if old is None else plain(old)}")
    return lost
