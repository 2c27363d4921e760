"""Small tables and their schema, as a user would write them."""

import pandas as pd
import pytest

from stages.schema import Column, Schema, Source

SOURCE = Source(origin="made up", licence="none")


def make_schema(*columns: Column) -> Schema:
    return Schema(version=1, source=SOURCE, columns=columns)


@pytest.fixture
def schema() -> Schema:
    return make_schema(
        Column("area", "float", min=0, max=1000),
        Column("rooms", "int", min=1, max=20, nullable=True),
        Column("garden", "bool", nullable=True),
        Column("street", "category", categories=("north", "south", "NA"), nullable=True),
        Column("price", "float", role="target"),
    )


@pytest.fixture
def raw() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "area": ["50", "60.5", " 70 ", "8e1", "90"],
            "rooms": ["2", "3.0", "", "NA", "5"],
            "garden": ["1", "false", "null", "True", "0.0"],
            "street": ["north", "south", "", "NA", "north"],
            "price": ["100", "120", "-5", "0", "1e2"],
        }
    )
