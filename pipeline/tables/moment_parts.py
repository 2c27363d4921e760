"""The calendar parts of a column of moments, as `pipeline.contract.moments` has them for one."""

import numpy as np
import pandas as pd

from pipeline.contract.column import Part
from pipeline.contract.moments import DAY

_FIELDS = {"weekday": "day_of_week", "yearday": "day_of_year"}


def part(moments: pd.Series, name: Part) -> np.ndarray:
    """Return one part [rows] of UTC timestamps, float64, NaN where one is missing."""
    if name != "days":
        numbers = getattr(moments.dt, _FIELDS.get(name, name)).to_numpy(float)
        return numbers + 1 if name == "weekday" else numbers
    days = moments.dt.as_unit("us").dt.tz_convert(None).to_numpy().astype("int64") / DAY
    return np.where(moments.isna(), np.nan, days)


def from_days(days: np.ndarray) -> pd.Series:
    """Return the UTC timestamps of these days since 1970; NaT for NaN."""
    known = ~np.isnan(days)
    microseconds = np.round(np.where(known, days, 0.0) * DAY).astype("int64")
    return pd.Series(microseconds.astype("datetime64[us]")).dt.tz_localize("UTC").where(known)
