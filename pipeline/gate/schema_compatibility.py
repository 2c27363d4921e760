"""The compatibility of two model files' schemas: does the server still accept every input that it accepted?

The rules are those of api/requests/decoder.py: every column but the target is known; features are checked, and required
unless nullable; the other columns may hold anything, or be absent.
"""

import math

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
    if _bound(after.min, -math.inf) > _bound(before.min, -math.inf):
        lost.append(f"{name} must be at least {after.min:g}" + _was(before.min))
    if _bound(after.max, math.inf) < _bound(before.max, math.inf):
        lost.append(f"{name} must be at most {after.max:g}" + _was(before.max))
    return lost


def _bound(bound: float | None, unbounded: float) -> float:
    return unbounded if bound is None else bound


def _was(bound: float | None) -> str:
    return f", was {'unbounded' if bound is None else f'{bound:g}'}"
