"""Features that give the target away: alone by correlation, together by a linear model."""

import numpy as np
import pandas as pd

from pipeline.profiling.inferred_schema import infer
from pipeline.profiling.leaks import parts_of_target

RANDOM = np.random.default_rng(8)


def rentals(n: int = 300) -> pd.DataFrame:
    table = pd.DataFrame({name: RANDOM.integers(0, 400, n) for name in ("casual", "registered")})
    return table.assign(heat=RANDOM.normal(size=n).round(3), count=table["casual"] + table["registered"])


def test_parts_of_the_target_are_named() -> None:
    """Two features that add up to the target are named together, stay features, and no other feature is named."""
    schema, remarks = infer(rentals().astype(str), "count")
    named = [remark for remark in remarks if "make up the target" in remark.topic]
    assert [remark.name for remark in named] == ["casual + registered"]
    assert [column.name for column in schema.features] == ["casual", "registered", "heat"]


def test_missing_cells_and_other_features_hide_no_part() -> None:
    """Parts are found among features that repeat them, beside a feature that is mostly missing and one with gaps."""
    table = rentals().astype(float)
    table.insert(0, "both", table["casual"] * 2 + table["heat"])
    table["empty"] = np.where(RANDOM.random(len(table)) < 0.9, np.nan, 1.0)
    table.loc[::7, "heat"] = np.nan
    assert parts_of_target(table, "count") == ["casual", "registered"]


def test_a_noisy_or_short_table_has_no_parts() -> None:
    """Noise of 2 % of the target's spread, and features nearly as many as the rows, are no leak."""
    table = rentals()
    table["count"] = table["count"] + RANDOM.normal(0, 0.02 * table["count"].std(), len(table))
    assert parts_of_target(table.astype(float), "count") == []
    wide = pd.DataFrame(RANDOM.normal(size=(30, 25)))
    assert parts_of_target(wide, 0) == []  # type: ignore[arg-type]


def test_a_wide_table_is_searched() -> None:
    """Of 300 features in 20,000 rows the three that add up to the target are found."""
    wide = pd.DataFrame(RANDOM.normal(size=(20_000, 300))).rename(columns=str)
    wide["y"] = wide[["3", "50", "299"]].sum(axis=1)
    assert parts_of_target(wide, "y") == ["3", "50", "299"]


def test_parts_are_found_beside_a_copy_of_the_target() -> None:
    """A feature that is the target in another unit has its own remark, and the parts have theirs."""
    table = rentals()
    table.insert(0, "dozens", (table["count"] / 12).round(4))
    said = {remark.name: remark.topic for remark in infer(table.astype(str), "count").remarks}
    assert "nearly the target itself" in said["dozens"]
    assert "make up the target" in said["casual + registered"]
