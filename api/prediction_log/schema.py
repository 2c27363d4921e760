"""The tables of the prediction log, for SQLite and PostgreSQL through SQLAlchemy Core; its rows and their ids.

A new column is nullable and raises VERSION: then `migration` adds it to the logs that exist.
"""

import itertools
import os
import time
from typing import NamedTuple

import msgspec
import numpy as np
import sqlalchemy as sa

VERSION = 2  # of these tables

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
    # Since version 2.
    sa.Column("imputed", sa.Text),
    sa.Column("key", sa.Text),
    sa.Column("request", sa.Text),
    sa.Column("trace", sa.String(32)),
    sa.Column("idempotency", sa.Text),
    sa.Column("body", sa.String(32)),
)
# Partial indexes: without own ids, or idempotency keys, they stay empty.
_OWN = predictions.c.own.isnot(None)
sa.Index("predictions_own", predictions.c.own, sqlite_where=_OWN, postgresql_where=_OWN)
_KEYED = predictions.c.idempotency.isnot(None)
sa.Index(
    "predictions_idempotency",
    predictions.c.idempotency,
    predictions.c.id,
    sqlite_where=_KEYED,
    postgresql_where=_KEYED,
)

feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("seq", _KEY, sa.Identity(), primary_key=True),
    sa.Column("prediction", sa.ForeignKey("predictions.seq"), nullable=False, index=True),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("actual", sa.Float, nullable=False),
    sa.Column("key", sa.Text),
)

# The versions that this log has had; a log of version 1 lacks the table.
versions = sa.Table("log_versions", metadata, sa.Column("version", sa.Integer, primary_key=True, autoincrement=False))

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


class Caller(msgspec.Struct, frozen=True, gc=False):
    """Who asked, each None where unknown: the name of the API `key`, the id of the `request`, the W3C `trace` id and
    the `idempotency` key."""

    key: str | None = None
    request: str | None = None
    trace: str | None = None
    idempotency: str | None = None


class Entry(NamedTuple):
    """A row of `predictions`. `time`: milliseconds since 1970, UTC. `own`: the caller's own id. `sent`: the row's JSON
    without whitespace. `used`: a JSON list of the numbers that the model saw, imputed ones included, in the order of
    its matrix. `imputed`: a JSON list of the features without a value, None without any. `key` to `idempotency`: as in
    Caller. `body`: the digest of the request's body, only with an idempotency key."""

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
    imputed: str | None
    key: str | None
    request: str | None
    trace: str | None
    idempotency: str | None
    body: str | None


FIELDS = ", ".join(Entry._fields)
ROWS = 100  # rows of a statement: more are no faster, and SQLite takes at most 32,766 values


def insert(connection: sa.Connection, entries: list[Entry]) -> None:
    """Insert the entries by the driver's own SQL, many rows a statement: a row takes two thirds of its time alone.

    A column that is empty in all rows is left out, since each costs 0.3 microseconds a row.
    """
    for start in range(0, len(entries), ROWS):
        part = entries[start : start + ROWS]
        columns = zip(Entry._fields, zip(*part, strict=True), strict=True)
        filled = {name: values for name, values in columns if values[0] is not None or values.count(None) < len(part)}
        row = f"({', '.join([mark(connection)] * len(filled))})"
        statement = f"INSERT INTO predictions ({', '.join(filled)}) VALUES {', '.join([row] * len(part))}"  # noqa: S608
        rows = zip(*filled.values(), strict=True)
        connection.exec_driver_sql(statement, tuple(itertools.chain.from_iterable(rows)))


def mark(connection: sa.Connection) -> str:
    """Return what stands for a value in the driver's SQL."""
    return "?" if connection.dialect.name == "sqlite" else "%s"


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
