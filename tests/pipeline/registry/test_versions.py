"""Which version comes next, and which one came before."""

import pytest

from pipeline.registry.promotion import version_before
from pipeline.registry.versions import following, standing


@pytest.mark.parametrize(
    ("versions", "expected"), [([], "v1.0.0"), (["v1.0.0", "v1.10.0", "v1.9.3"], "v1.11.0"), (["v2.0.1"], "v2.1.0")]
)
def test_each_promotion_is_the_next_minor_version(versions: list[str], expected: str) -> None:
    """The first version is v1.0.0; then the minor number of the highest one goes up, compared as numbers."""
    assert following(versions) == expected


def test_a_rollback_takes_back_what_came_after() -> None:
    """Versions that were rolled back are not returned to by a later rollback."""
    assert standing(["v1.0.0", "v1.1.0", "v1.2.0", "v1.1.0", "v1.3.0"]) == ["v1.0.0", "v1.1.0", "v1.3.0"]


@pytest.mark.parametrize(
    ("line", "current", "expected"),
    [
        (["v1.0.0", "v1.1.0"], "v1.1.0", "v1.0.0"),
        (["v1.0.0"], "v1.0.0", None),
        ([], None, None),
        (["v1.0.0", "v1.1.0"], "v1.0.0", "v1.0.0"),  # a rollback was cut off after its commit
        (["v1.0.0", "v1.1.0"], "v1.2.0", "v1.1.0"),  # a promotion was cut off after its commit
        (["v1.0.0"], None, "v1.0.0"),
    ],
)
def test_the_version_to_return_to(line: list[str], current: str | None, expected: str | None) -> None:
    """It is the one before the one in production; what a kill cut off is completed or undone first."""
    assert version_before(line, current) == expected
