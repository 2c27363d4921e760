"""The tables of the prediction log and how to reach them: SQLite or PostgreSQL through SQLAlchemy Core."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from pipeline.contract.errors import PipelineError

# Seconds that a transaction may wait for another one's lock, or for a database that does not answer.
PATIENCE = 5
# Seconds after a failure in which nothing is tried; also what callers are told to wait.
PAUSE = 1
_EXPECTED = "expected sqlite:///PATH, sqlite:////ABSOLUTE/PATH or postgresql://USER@HOST/DATABASE"
# Any constant: processes that start together make the tables one after the other.
_SETUP_LOCK = 5_217_304_118

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


class LogError(PipelineError):
    """The database did not do what was asked; the message is its reason."""


class BusyError(LogError):
    """Another process is writing: the same again may work in a moment."""


def connect(url: str, synchronous: str = "FULL") -> Engine:
    """An engine for PREDICTION_LOG_URL; nothing is opened or made before its first use.

    Raises PipelineError where the URL is none that the log can use; the message does not repeat it, for it may hold a
    password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise PipelineError(f"environment variable PREDICTION_LOG_URL: {_EXPECTED}, found no URL") from None
    if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
        engine = create_engine(parsed, connect_args={"timeout": PATIENCE})
        event.listen(engine, "connect", _sqlite_settings(synchronous))
        return engine
    if parsed.drivername in ("postgresql", "postgresql+psycopg") and parsed.database:
        limits = {
            "connect_timeout": PATIENCE,
            "tcp_user_timeout": PATIENCE * 1000,
            "options": f"-c statement_timeout={PATIENCE * 1000}",
        }
        return create_engine(parsed.set(drivername="postgresql+psycopg"), connect_args=limits, pool_pre_ping=True)
    raise PipelineError(
        f"environment variable PREDICTION_LOG_URL: {_EXPECTED}, found another URL ({parsed.drivername})"
    )


def existing(url: str) -> Engine:
    """An engine for a log that is there already, for the commands that read it.

    Raises PipelineError where there is none.
    """
    engine = connect(url)
    path = engine.url.database
    if engine.dialect.name == "sqlite" and not (path and Path(path).is_file()):
        raise PipelineError(f"there is no prediction log at {path}: set PREDICTION_LOG_URL as it is set for the server")
    return engine


def create(engine: Engine) -> None:
    """Make the folder and the tables that are missing."""
    if engine.dialect.name == "sqlite" and (path := engine.url.database):
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogError(str(error)) from None
    with transaction(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SETUP_LOCK})
        metadata.create_all(connection)


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """A connection in a writing transaction, committed at the end of the block.

    Raises BusyError or LogError for what the database refuses.
    """
    with translated(), engine.connect() as connection:
        begin(connection)
        yield connection
        connection.commit()


def begin(connection: Connection) -> None:
    """Take SQLite's write lock at the start: a transaction that asks for it later is refused without waiting."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        # The primary code is in the low byte; 5 is SQLITE_BUSY (sqlite.org/rescode.html).
        busy = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == 5
        reason = str(error.orig).strip().partition("\n")[0]
        raise (BusyError if busy else LogError)(reason) from None
    except PoolTimeoutError as error:  # of the pool: all its connections are in use
        raise LogError(str(error)) from None


def insert(connection: Connection, entries: list[Entry]) -> None:
    """Many rows a statement, in the words of the driver: a row takes two thirds of the time that it takes alone."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    row = f"({', '.join([mark] * len(Entry._fields))})"
    for start in range(0, len(entries), _ROWS):
        part = entries[start : start + _ROWS]
        statement = f"INSERT INTO predictions ({_FIELDS}) VALUES {', '.join([row] * len(part))}"  # noqa: S608 - our own
        connection.exec_driver_sql(statement, tuple(itertools.chain.from_iterable(part)))


def _sqlite_settings(synchronous: str) -> Any:
    def apply(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # transactions begin where the code says so
        for pragma in (
            "journal_mode = WAL",
            f"synchronous = {synchronous}",
            # What is deleted is overwritten, and so is what moves to another page.
            "secure_delete = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return apply
