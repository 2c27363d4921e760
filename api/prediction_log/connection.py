"""The connection that a process keeps for its writes to the prediction log."""

import os

from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from api.prediction_log import repeats, schema
from api.prediction_log.database import BusyError, begin, create, translated
from api.prediction_log.repeats import KeyReusedError
from api.prediction_log.schema import Entry


class KeptConnection:
    """A connection that is opened with its first transaction, and again after `close` or where SQLite's file changed.

    Opening and closing may wait, for another process or the disk.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_file = database.dialect.name == "sqlite"
        self._connection: Connection | None = None
        self._file: tuple[int, int] | None = None

    def current(self) -> Connection | None:
        """Return the open connection, None where `commit` would open one."""
        # Writes to a file that was deleted or replaced would be lost.
        return self._connection if self._connection is not None and self._identity() == self._file else None

    def commit(self, entries: list[Entry], current: Connection | None = None) -> list[Entry]:
        """Insert the entries in one transaction; without entries, write the probe's row. Return what `record` returns.

        Raises KeyReusedError, and LogError: then it has to be closed. SQLite raises BusyError at once: waiting inside
        of it would stop the event loop.
        """
        try:
            with translated():
                connection = current or self.current() or self._open()
                begin(connection)
                if entries:
                    entries = repeats.record(connection, entries)
                else:
                    connection.execute(schema.PROBE)
                connection.commit()
                return entries
        except (BusyError, KeyReusedError):
            if self._connection is not None:
                self._connection.rollback()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
        self._database.dispose()

    def _open(self) -> Connection:
        self.close()
        create(self._database)
        self._connection = self._database.connect()
        if self._is_file:
            self._connection.exec_driver_sql("PRAGMA busy_timeout = 0")
            self._connection.commit()
        self._file = self._identity()
        return self._connection

    def _identity(self) -> tuple[int, int] | None:
        """Return the device and the number of SQLite's file, None where there is none."""
        if not self._is_file:
            return None
        try:
            found = os.stat(self._database.url.database or "")
        except OSError:
            return None
        return found.st_dev, found.st_ino
