"""Small schemas, as a user would write them."""

from pipeline.contract.column import Column
from pipeline.contract.schema import Schema, Source

SOURCE = Source(origin="made up", licence="none")


def make_schema(*columns: Column) -> Schema:
    return Schema(version=1, source=SOURCE, columns=columns)
