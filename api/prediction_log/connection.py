"""The connection that a process keeps for its writes to the prediction log."""

import os
from contextlib import suppress

from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from api.prediction_log import schema
from api.prediction_log.database import BusyError, LogError, begin, create, translated
from api.prediction_log.schema import Entry


class KeptConnection:
    """Opened by the first transaction, and again after an error or where SQLite's file was deleted or replaced."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_file = database.dialect.name == "sqlite"
        self._connection: Connection | None = None
        self._file: tuple[int, int] | None = None

    def commit(self, entries: list[Entry]) -> None:
        """Insert the entries, or without any write the probe's row, in one transaction.

        Raises LogError; of SQLite BusyError at once, for waiting inside of it would stop the event loop.
        """
        try:
            with translated():
                connection = self._open()
                with connection.begin():
                    begin(connection)
                    if entries:
                        schema.insert(connection, entries)
                    else:
                        connection.execute(schema.PROBE)
        except BusyError:
            raise
        except LogError:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
        self._database.dispose()

    def _open(self) -> Connection:
        # A file that was deleted or replaced takes writes that nobody will ever read.
        if self._connection is not None and self._identity() != self._file:
            self.close()
        if self._connection is None:
            create(self._database)
            self._connection = self._database.connect()
            if self._is_file:
                self._connection.exec_driver_sql("PRAGMA busy_timeout = 0")
                self._connection.commit()
            self._file = self._identity()
        return self._connection

    def _identity(self) -> tuple[int, int] | None:
        """Return which file SQLite's path names now, None where there is none."""
        with suppress(OSError):
            if self._is_file:
                found = os.stat(self._database.url.database or "")
                return found.st_dev, found.st_ino
        return None
