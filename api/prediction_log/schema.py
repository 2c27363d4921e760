"""The tables of the prediction log, for SQLite and PostgreSQL through SQLAlchemy Core; its rows and their ids."""

import itertools
import os
import time
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa

metadata = sa.MetaData()
_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite numbers only an INTEGER by itself

predictions = sa.Table(
    "predictions",
    metadata,
    sa.Column("seq", _KEY, sa.Identity(), primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("own", sa.Text),
    sa.Column("sent", sa.Text, nullable=False),
    sa.Column("used", sa.Text, nullable=False),
    sa.Column("prediction", sa.Float, nullable=False),
    sa.Column("lower", sa.Float, nullable=False),
    sa.Column("upper", sa.Float, nullable=False),
    sa.Column("model", sa.String(32), nullable=False),
    sa.Column("promoted", sa.Boolean, nullable=False),
)
# A partial index: without an id column in the schema it stays empty.
_OWN = predictions.c.own.isnot(None)
sa.Index("predictions_own", predictions.c.own, sqlite_where=_OWN, postgresql_where=_OWN)

feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("seq", _KEY, sa.Identity(), primary_key=True),
    sa.Column("prediction", sa.ForeignKey("predictions.seq"), nullable=False, index=True),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("actual", sa.Float, nullable=False),
    sa.Column("key", sa.Text),
)

# One row that is written to test whether writing works.
sa.Table(
    "log_probe",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
)
PROBE = sa.text(
    "INSERT INTO log_probe (id, count) VALUES (1, 0) ON CONFLICT (id) DO UPDATE SET count = log_probe.count + 1"
)


class Entry(NamedTuple):
    """A row of `predictions`. `time`: milliseconds since 1970, UTC. `own`: the caller's own id. `sent`: the row's JSON
    as received. `used`: a JSON list of the numbers that the model saw, imputed ones included, in the order of its
    matrix."""

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
_ROWS = 100  # rows of a statement: more are no faster, and SQLite takes at most 32,766 values


def insert(connection: sa.Connection, entries: list[Entry]) -> None:
    """Insert the entries by the driver's own SQL, many rows a statement: a row takes two thirds of its time alone."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    row = f"({', '.join([mark] * len(Entry._fields))})"
    for start in range(0, len(entries), _ROWS):
        part = entries[start : start + _ROWS]
        statement = f"INSERT INTO predictions ({_FIELDS}) VALUES {', '.join([row] * len(part))}"  # noqa: S608 - our own
        connection.exec_driver_sql(statement, tuple(itertools.chain.from_iterable(part)))


def now() -> int:
    """Return the milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def new_ids(milliseconds: int, count: int) -> list[str]:
    """Return new ids of a moment: version 7 UUIDs as 32 hexadecimal digits.

    They begin with their time. Later ids are greater, so an index grows at its end.
    """
    ids = np.frombuffer(os.urandom(16 * count), dtype=np.uint8).reshape(count, 16).copy()
    ids[:, :6] = list(milliseconds.to_bytes(6, "big"))
    # RFC 9562, section 5.7: four bits of version, two of variant, the others random.
    ids[:, 6] = ids[:, 6] & 0x0F | 0x70
    ids[:, 8] = ids[:, 8] & 0x3F | 0x80
    digits = ids.tobytes().hex()
    return [digits[start : start + 32] for start in range(0, len(digits), 32)]


def first_id(moment: int) -> str:
    """Return a lower bound of the ids of this millisecond and of all later ones."""
    return f"{min(max(moment, 0), 2**48 - 1):012x}"
