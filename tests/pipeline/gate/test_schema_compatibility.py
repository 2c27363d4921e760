"""Does the server still accept what it accepted? The schemas of two models, and the decoder itself."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.requests.decoder import Contract
from api.requests.diagnostics import RefusedError
from pipeline.contract.column import Column
from pipeline.contract.schema import Schema
from pipeline.gate import checks, schema_compatibility
from tests.tables import make_schema

BASE = make_schema(
    Column("area", "float", min=0, max=10),
    Column("rooms", "int", min=1, max=5, nullable=True),
    Column("garden", "bool"),
    Column("street", "category", categories=("n", "s")),
    Column("seller", "category", role="id"),
    Column("price", "float", role="target"),
)


def changed(column: str, /, **changes: object) -> Schema:
    columns = tuple(msgspec.structs.replace(c, **changes) if c.name == column else c for c in BASE.columns)
    return msgspec.structs.replace(BASE, columns=columns)


DATED = make_schema(
    Column("sold", "datetime", format="%d/%m/%Y"),
    Column("seen", "category", role="time"),
    Column("price", "float", role="target"),
)


@pytest.mark.parametrize(
    ("column", "changes", "said"),
    [
        ("sold", {"parts": ("month",)}, []),
        ("sold", {"format": "%m/%d/%Y"}, ["sold is written as %m/%d/%Y, was %d/%m/%Y"]),
        ("sold", {"format": ""}, ["sold is written as ISO 8601, was %d/%m/%Y"]),
        ("seen", {"dtype": "datetime"}, []),
        ("seen", {"dtype": "datetime", "parts": ("hour",)}, ["seen may no longer be missing"]),
        ("seen", {"dtype": "int"}, ["seen is int, was category"]),
    ],
)
def test_dates_that_callers_may_no_longer_send(column: str, changes: dict, said: list[str]) -> None:
    """The format of a date is in the contract, its parts are not; a time must be sent once the model sees it."""
    columns = tuple(msgspec.structs.replace(c, **changes) if c.name == column else c for c in DATED.columns)
    after = msgspec.structs.replace(DATED, columns=columns)
    assert schema_compatibility.narrower(DATED, after) == said


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (BASE, []),
        (changed("area", role="ignore"), []),
        (changed("area", min=-1, max=None, nullable=True), []),
        (changed("rooms", dtype="float"), []),
        (changed("street", categories=("x", "s", "n")), []),
        (changed("street", categories=("n",), other="n"), []),
        (changed("area", missing=("?",)), ["area may no longer be ?"]),
        (changed("rooms", missing=("?",)), []),
        (
            changed("seller", role="time"),
            ["seller is now the time, before anything or nothing was accepted for it"],
        ),
        (changed("area", max=9), ["area must be at most 9, was 10"]),
        (changed("area", min=0.5), ["area must be at least 0.5, was 0"]),
        (changed("area", dtype="int"), ["area is int, was float"]),
        (changed("garden", dtype="float"), ["garden is float, was bool"]),
        (changed("rooms", nullable=False), ["rooms may no longer be missing"]),
        (changed("street", categories=("s",)), ["street may no longer be n"]),
        (
            changed("garden", dtype="datetime", role="time", parts=("hour",)),
            ["garden is datetime, was bool"],
        ),
        (changed("garden", name="yard"), ["garden is no longer known", "yard is new and required"]),
        (changed("garden", name="yard", nullable=True), ["garden is no longer known"]),
        (
            changed("seller", role="feature", categories=("a",), nullable=True),
            ["seller is now a feature, before anything or nothing was accepted for it"],
        ),
    ],
)
def test_what_callers_may_no_longer_send(after: Schema, said: list[str]) -> None:
    """Each way in which a schema can become narrower is named; each way in which it becomes wider is none."""
    assert schema_compatibility.narrower(BASE, after) == said
    check = checks.schema_compatibility(said, allowed=False)
    assert check.passed is not bool(said)
    assert checks.schema_compatibility(said, allowed=True).passed is True


NAMES = ("a", "b", "c")


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """Schemas over a few names, bounds and categories, so that two of them often differ in one thing."""
    columns = [Column("y", "float", role="target")]
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True)):
        dtype = draw(st.sampled_from(["float", "int", "bool", "category", "datetime"]))
        role = draw(st.sampled_from(["feature", "feature", "feature", "ignore"]))
        is_time = dtype == "datetime" and draw(st.booleans()) and all(column.role != "time" for column in columns)
        bounds = {}
        if dtype in ("float", "int"):
            low, high = sorted(draw(st.tuples(*[st.sampled_from([-2.0, 0.0, 0.5, 1.0, 3.0])] * 2)))
            bounds = {"min": draw(st.sampled_from([None, low])), "max": draw(st.sampled_from([None, high]))}
        categories = ("n", "s", "w")[: draw(st.integers(1, 3))] if dtype == "category" else ()
        words = {"missing": draw(st.sampled_from([(), ("?",), ("1", "?")]))}
        if categories:
            words["other"] = draw(st.sampled_from(["", categories[0]]))
        if dtype == "datetime":
            words["format"] = draw(st.sampled_from(["", "%d/%m/%Y"]))
            words["parts"] = draw(st.sampled_from([(), ("hour", "days")]))
        nullable, role = draw(st.booleans()) and not is_time, "time" if is_time else role
        columns.append(Column(name, dtype, role, categories=categories, nullable=nullable, **bounds, **words))
    return make_schema(*columns)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([-2, 0, 1, 2, 3, 0.5, 1.0, -2.0, 1e9, "n", "s", "w", "?", "1", "NA", []]),
    st.sampled_from(["2/1/2020", "2020-01-02", "2020-01-02T10:05", 2020]),
)


@given(schemas(), schemas(), st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES), min_size=8, max_size=8))
def test_what_is_called_compatible_is_accepted(before: Schema, after: Schema, bodies: list[dict]) -> None:
    """Whatever the server accepts under the champion's schema it accepts under the challenger's, if nothing is said to
    be narrower: the decoder itself is asked."""
    if schema_compatibility.narrower(before, after):
        return
    for body in bodies:
        encoded = msgspec.json.encode(body)
        try:
            Contract(before).decode(encoded)
        except RefusedError:
            continue
        Contract(after).decode(encoded)
