"""The parts of a moment: those of one cell, as the server has them, and those of a column, as training has them."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract import columns, moments
from pipeline.contract.column import PARTS, Column, Part
from pipeline.tables import moment_parts
from tests.tables import make_schema

MOMENTS = st.datetimes(timezones=st.timezones()).filter(lambda moment: 1 < moment.year < 9999)
FORMATS = st.sampled_from(["", "%d/%m/%Y", "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M:%S.%f", "%Y%m%d", "%I:%M %p, %d %b %Y"])


@given(st.lists(MOMENTS.map(lambda moment: moment.astimezone(UTC)), min_size=1, max_size=4))
def test_a_moment_and_a_column_have_the_same_parts(some: list[datetime]) -> None:
    """Each part of any moment, the microsecond of its days included, is the same number alone and in a column."""
    column = pd.Series(pd.to_datetime([*some, None], utc=True))
    for name in PARTS:
        alone = [*(moments.part(moment, name) for moment in some), np.nan]
        assert np.array_equal(moment_parts.part(column, name), alone, equal_nan=True), name


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("2024-02-29", (2024, 2, 4, 0, 60, 19782)),
        ("2024-12-31T18:00", (2024, 12, 2, 18, 366, 20088.75)),
        ("1969-12-31T12:00:00Z", (1969, 12, 3, 12, 365, -0.5)),
        ("2023-01-01T03:30+05:30", (2022, 12, 6, 22, 365, 19357 + 11 / 12)),
    ],
)
def test_the_right_parts(text: str, parts: tuple[float, ...]) -> None:
    """Year, month, weekday (Monday is 1), hour, day of the year (1 January is 1) and days since 1970, all in UTC."""
    assert tuple(moments.part(moments.parse(text), name) for name in PARTS) == parts


@given(MOMENTS.filter(lambda moment: 1001 < moment.year < 2999), FORMATS)
def test_a_text_is_read_as_it_was_written(moment: datetime, form: str) -> None:
    """What `to_text` writes, `parse` reads, to the precision of the format."""
    utc = moment.astimezone(UTC)
    text = moments.to_text(utc, form)
    found = moments.parse(text, form)
    assert moments.to_text(found, form) == text
    assert form or found == utc


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2050, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC)),
    st.lists(st.sampled_from(PARTS), min_size=1, unique=True),
)
def test_a_moment_can_be_found_by_its_parts(moment: datetime, names: list[Part]) -> None:
    """From any parts of a moment comes a moment with the same parts; from its days, the moment itself."""
    wanted = {name: moments.part(moment, name) for name in names}
    found = moments.with_parts(wanted)
    assert {name: moments.part(found, name) for name in names} == wanted
    days = moments.part(moment, "days")
    assert moment_parts.from_days(np.array([days, np.nan]))[0] == pd.Timestamp(moment)
    assert "days" not in names or found == moment


def test_a_date_is_one_feature_of_several_columns() -> None:
    """A datetime has a column for each of its parts, in one order; without the key `parts` a feature has all of them,
    and a time is no input. Every other feature has one column."""
    schema = make_schema(
        Column("sold", "datetime", parts=("hour", "month")),
        Column("area", "float"),
        Column("seen", "datetime", role="time"),
        Column("built", "datetime"),
        Column("price", "float", role="target"),
    )
    assert columns.names_by_feature(schema.features) == {
        "sold": ("sold.month", "sold.hour"),
        "area": ("area",),
        "built": tuple(f"built.{part}" for part in PARTS),
    }
    assert columns.positions(schema.features)["area"] == [2]
    assert [column.name for column in schema.others] == ["seen"]


def test_a_time_with_parts_is_an_input_and_excluded_it_stays_the_time() -> None:
    """A time of which the model sees parts is one of its inputs. `features.exclude` takes the parts, not the role."""
    time = Column("seen", "datetime", role="time", parts=("weekday",))
    schema = make_schema(Column("area", "float"), time, Column("price", "float", role="target"))
    assert [column.name for column in schema.features] == ["area", "seen"]
    excluded = schema.excluding(("seen",))
    assert [column.name for column in excluded.features] == ["area"]
    assert [column.role for column in excluded.columns] == ["feature", "time", "target"]
