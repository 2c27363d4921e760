"""The database of the prediction log, SQLite or PostgreSQL: how it is opened, its transactions and its errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# In this project an engine is pandas or Dask.
from sqlalchemy import Connection, create_engine, event, make_url, text
from sqlalchemy import Engine as Database
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from api.prediction_log import migration, schema
from api.prediction_log.migration import NewerLogError
from pipeline.contract.errors import PipelineError

# Seconds that a transaction may wait for another one's lock, or for a database that does not answer.
PATIENCE = 5
# Seconds after a failure in which nothing is tried; callers are told to wait as long.
PAUSE = 1
_EXPECTED = "expected sqlite:///PATH, sqlite:////ABSOLUTE/PATH or postgresql://USER@HOST/DATABASE"
# Any constant: processes that start together make the tables one after the other.
_SETUP_LOCK = 5_217_304_118


class LogError(PipelineError):
    """The database refused or failed; the message is its reason."""


class BusyError(LogError):
    """Another process writes now: a second try may succeed in a moment."""


def connect(url: str, synchronous: str = "FULL", patience: int | None = PATIENCE) -> Database:
    """Return the database at PREDICTION_LOG_URL; nothing is opened or made before its first use.

    `patience`: seconds that PostgreSQL may take for a statement, None for any time. Raises PipelineError where the log
    cannot use the URL. The message does not repeat it: it may hold a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise PipelineError(f"environment variable PREDICTION_LOG_URL: {_EXPECTED}, found no URL") from None
    if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
        # The driver begins no transaction by itself: `begin` does.
        arguments = {"timeout": PATIENCE, "isolation_level": None}
        database = create_engine(parsed, connect_args=arguments, pool_timeout=PATIENCE)

        @event.listens_for(database, "connect")
        def configure(connection: Any, _: Any) -> None:
            # secure_delete: what is deleted is overwritten, and so is what moves to another page.
            for setting in ("journal_mode = WAL", f"synchronous = {synchronous}", "secure_delete = ON"):
                connection.execute(f"PRAGMA {setting}")

        return database
    if parsed.drivername in ("postgresql", "postgresql+psycopg") and parsed.database:
        from api.prediction_log import postgresql

        return postgresql.connect(parsed, patience)
    raise PipelineError(
        f"environment variable PREDICTION_LOG_URL: {_EXPECTED}, found another URL ({parsed.drivername})"
    )


def existing(url: str) -> Database:
    """Return the database of a log that exists, upgraded, for the commands that read it.

    Raises PipelineError where there is none.
    """
    database = connect(url, patience=None)
    path = database.url.database
    if database.dialect.name == "sqlite" and not (path and Path(path).is_file()):
        raise PipelineError(f"there is no prediction log at {path}: set PREDICTION_LOG_URL as it is set for the server")
    with translated(), database.connect() as connection:
        version = migration.version(connection)
    if version not in (0, schema.VERSION):
        create(database)
    return database


def create(database: Database) -> None:
    """Make the folder and the tables that are missing, and upgrade those of an older log.

    Raises LogError, also for a log of a later version.
    """
    if database.dialect.name == "sqlite" and (path := database.url.database):
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogError(str(error)) from None
    with transaction(database) as connection:
        if database.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SETUP_LOCK})
        migration.upgrade(connection)


@contextmanager
def transaction(database: Database) -> Iterator[Connection]:
    """Yield a connection in a writing transaction, committed at the end of the block.

    Raises BusyError or LogError for what the database refuses.
    """
    with translated(), database.connect() as connection:
        begin(connection)
        yield connection
        connection.commit()


def begin(connection: Connection) -> None:
    """Begin a transaction. SQLite's write lock is taken now: later it would be refused without waiting."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def translated() -> Iterator[None]:
    """Turn the errors of the database into LogError and BusyError."""
    try:
        yield
    except DBAPIError as error:
        # The primary code is in the low byte; 5 is SQLITE_BUSY (sqlite.org/rescode.html).
        busy = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == 5
        reason = str(error.orig).strip().partition("\n")[0]
        raise (BusyError if busy else LogError)(reason) from None
    except (NewerLogError, SQLAlchemyError) as error:  # such as the pool's, when all its connections are in use
        raise LogError(str(error)) from None
