"""Dates in a first schema: their form, the parts that the model sees, and which one is the time."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline.contract.column import PARTS
from pipeline.profiling.inferred_schema import infer
from tests.describable import ROWS, table
from tests.pipeline.profiling.test_inferred_schema import cleaned, told


@pytest.mark.parametrize(
    ("cells", "form", "parts", "said"),
    [
        (["2020-01-01", "2020-01-08"], "", ("yearday", "days"), ""),
        (["2020-01-01T05:00", "2020-01-01T09:30"], "", ("hour", "days"), ""),
        (["31/12/2020", "1/1/2021"], "%d/%m/%Y", ("year", "month", "weekday", "yearday", "days"), ""),
        (["12/31/2020 11:00 PM", "1/1/2020 1:05 AM"], "%m/%d/%Y %I:%M %p", PARTS[1:], ""),
        (["1.2.20", "2.2.20"], "%d.%m.%y", ("weekday", "yearday", "days"), 'change the key format: format: "%m.%d.%y"'),
        (["2020.1.5", "2020.1.12"], "%Y.%m.%d", ("yearday", "days"), ""),
        (["5 May 2020", "12 Jun 2020"], "%d %b %Y", PARTS[1:3] + PARTS[4:], ""),
        (["05-January-2020", "12-January-2020"], "%d-%B-%Y", ("yearday", "days"), ""),
        (["Jan 5, 2020", "Jan 12, 2020"], "%b %d, %Y", ("yearday", "days"), ""),
    ],
)
def test_a_date_is_known_by_its_form(cells: list[str], form: str, parts: tuple[str, ...], said: str) -> None:
    """Dates in ISO 8601 or one other order are read; a day above 12 tells the order, and a remark says so where none
    does. The model gets the parts that vary, which a remark names."""
    raw = table(sold=cells)
    [found] = [column for column in infer(raw, "price").schema.columns if column.name == "sold"]
    assert (found.dtype, found.role, found.format, found.parts) == ("datetime", "feature", form, parts)
    remarks = told(raw, "sold")
    assert f"the model sees these parts of the date (key parts): {', '.join(parts)}" in remarks
    assert any("which no cell proves" in each and said in each for each in remarks) == bool(said)


def test_a_date_that_orders_the_rows_is_the_time(tmp_path: Path) -> None:
    """A date in every row, with many moments, gets role time: the latest rows are tested. The model sees no year and no
    days of it, for those of later rows are always new."""
    hours = pd.date_range("2020-01-31 20:00", periods=ROWS, freq="7h").strftime("%d/%m/%Y %H:%M")
    found, result = cleaned(table(sold=hours), "price", tmp_path)
    time = found.columns[1]
    assert (time.role, time.format, time.parts) == ("time", "%d/%m/%Y %H:%M", ("month", "weekday", "hour"))
    assert [column.name for column in found.features] == ["size", "sold"]
    assert (
        result.table["sold"][result.table["fold"] == -1].min() > result.table["sold"][result.table["fold"] > -1].max()
    )
