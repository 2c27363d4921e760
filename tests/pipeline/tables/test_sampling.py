"""The deterministic samples of rows."""

from pipeline.tables.sampling import reference
from tests.weather import WEATHER, weather


def test_the_reference_is_a_stable_sample() -> None:
    """The reference keeps what it had when rows are added, up to those that newcomers push out, and is never larger."""
    table = weather(1_000, 0).assign(prediction=1.0, residual=0.0)
    small = reference(table.head(500), WEATHER, 100)
    large = reference(table, WEATHER, 100)
    assert list(small.columns) == ["row", "heat", "rain", "wind", "seen", "prediction", "residual"]
    assert len(small) == len(large) == 100
    assert set(large.loc[large["row"] < 500, "row"]) <= set(small["row"])
    assert len(reference(table, WEATHER, 5_000)) == 1_000
