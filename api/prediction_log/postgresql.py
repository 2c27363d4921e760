"""The connections to PostgreSQL, and how they end when the server or the network in between no longer answers.

Imported only for a log in PostgreSQL: the driver takes 0.08 s of a start.
"""

from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from sqlalchemy import URL, create_engine, event
from sqlalchemy import Engine as Database

# libpq's, in seconds: an idle connection is probed, so that no router forgets it and one that was cut is noticed.
_KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 5, "keepalives_count": 2}


class PatientConnection(psycopg.Connection[Any]):
    """A connection that closes itself after `patience` seconds without an answer; None waits without end.

    No parameter of libpq does that: a proxy that stalls acknowledges every byte.
    """

    patience: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.errors._WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {self.patience} seconds") from None


def connect(url: URL, patience: int | None) -> Database:
    """Return the database; its statements, and the wait for a connection, may take so many seconds, None: any time."""
    named: dict[str, Any] = dict(_KEEPALIVES)
    if patience is not None:
        limits = {"connect_timeout": patience, "tcp_user_timeout": patience * 1000}
        named |= limits | {"options": f"-c statement_timeout={patience * 1000}"}
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"), connect_args=named, pool_pre_ping=True, pool_timeout=patience
    )

    @event.listens_for(engine, "do_connect")
    def open_connection(dialect: Any, record: Any, positional: list[Any], named: dict[str, Any]) -> PatientConnection:
        connection = PatientConnection.connect(*positional, **named)
        # Later than the server's own limit, after which the connection is still of use.
        connection.patience = None if patience is None else patience + 1
        return connection

    return engine
