"""The tables of the prediction log, for SQLite and PostgreSQL through SQLAlchemy Core."""

import itertools
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()
_KEY = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts only an INTEGER up by itself

predictions = Table(
    "predictions",
    metadata,
    Column("seq", _KEY, Identity(), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("time", BigInteger, nullable=False),
    Column("own", Text),
    Column("sent", Text, nullable=False),
    Column("used", Text, nullable=False),
    Column("prediction", Float, nullable=False),
    Column("lower", Float, nullable=False),
    Column("upper", Float, nullable=False),
    Column("model", String(32), nullable=False),
    Column("promoted", Boolean, nullable=False),
)
# Only for tables with an id column does it have entries.
_OWN = predictions.c.own.isnot(None)
Index("predictions_own", predictions.c.own, sqlite_where=_OWN, postgresql_where=_OWN)

feedback = Table(
    "feedback",
    metadata,
    Column("seq", _KEY, Identity(), primary_key=True),
    Column("prediction", ForeignKey("predictions.seq"), nullable=False, index=True),
    Column("time", BigInteger, nullable=False),
    Column("actual", Float, nullable=False),
)

# One row that is written to see whether writing works.
Table("log_probe", metadata, Column("id", Integer, primary_key=True), Column("count", BigInteger, nullable=False))
PROBE = text(
    "INSERT INTO log_probe (id, count) VALUES (1, 0) ON CONFLICT (id) DO UPDATE SET count = log_probe.count + 1"
)


class Entry(NamedTuple):
    """A row of `predictions`. `time`: milliseconds since 1970, UTC; `own`: the caller's own id; `sent`: the row's JSON
    as it came; `used`: JSON list of the numbers that the model saw, imputed ones included, in its features' order."""

    id: str
    time: int
    own: str | None
    sent: str
    used: str
    prediction: float
    lower: float
    upper: float
    model: str
    promoted: bool


_FIELDS = ", ".join(Entry._fields)
_ROWS = 100  # of a statement: more gain nothing, and SQLite knows at most 32,766 values


def insert(connection: Connection, entries: list[Entry]) -> None:
    """Insert many rows a statement, in the driver's own SQL: a row then takes two thirds of its time alone."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    row = f"({', '.join([mark] * len(Entry._fields))})"
    for start in range(0, len(entries), _ROWS):
        part = entries[start : start + _ROWS]
        statement = f"INSERT INTO predictions ({_FIELDS}) VALUES {', '.join([row] * len(part))}"  # noqa: S608 - our own
        connection.exec_driver_sql(statement, tuple(itertools.chain.from_iterable(part)))
