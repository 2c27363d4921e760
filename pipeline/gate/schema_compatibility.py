"""The compatibility of two model files' schemas: does the server still accept every input that it accepted?

The rules are those of api/requests/decoder.py: every column but the target is known; features are checked, and required
unless nullable; the other columns may hold anything, or be absent.
"""

from pipeline.contract.number_text import plain
from pipeline.contract.schema import Column, Schema


def narrower(before: Schema, after: Schema) -> list[str]:
    """List what callers may send under `before` and no longer under `after`, one phrase each."""
    known = {column.name: column for column in before.columns if column.role != "target"}
    taken = {column.name: column for column in after.columns if column.role != "target"}
    lost = [f"{name} is no longer known" for name in known if name not in taken]
    for column in after.features:
        if column.name not in known:
            lost += [] if column.nullable else [f"{column.name} is new and required"]
        elif known[column.name].role != "feature":
            lost.append(f"{column.name} is now a feature, before anything or nothing was accepted for it")
        else:
            lost += _narrower(known[column.name], column)
    return lost


def _narrower(before: Column, after: Column) -> list[str]:
    name = before.name
    if before.dtype != after.dtype and (before.dtype, after.dtype) != ("int", "float"):
        return [f"{name} is {after.dtype}, was {before.dtype}"]
    lost = [f"{name} may no longer be missing"] if before.nullable and not after.nullable else []
    if gone := [category for category in before.categories if category not in after.categories]:
        lost.append(f"{name} may no longer be {', '.join(gone)}")
    for word, sign, old, new in (("least", 1, before.min, after.min), ("most", -1, before.max, after.max)):
        if new is not None and (old is None or sign * new > sign * old):
            lost.append(f"{name} must be at {word} {plain(new)}, was {'unbounded' if old is None else plain(old)}")
    return lost
