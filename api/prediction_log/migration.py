"""The version of a log's tables: those of a new log are made, and an older log gets what is new, with its rows.

Columns are only added, and nullable, which is why no row is copied and servers of the version before can go on writing.
"""

import sqlalchemy as sa

from api.prediction_log.schema import VERSION, metadata, predictions, versions
from pipeline.contract.errors import PipelineError


class NewerLogError(PipelineError):
    """The log was made by a later version of this code."""


def version(connection: sa.Connection) -> int:
    """Return the version of the log's tables, 0 where there are none."""
    tables = sa.inspect(connection).get_table_names()
    if predictions.name not in tables:
        return 0
    return connection.scalar(sa.select(sa.func.max(versions.c.version))) or 1 if versions.name in tables else 1


def upgrade(connection: sa.Connection) -> None:
    """Bring the log to VERSION, in the caller's transaction; another process must not do so at the same time.

    Raises NewerLogError where the log has a later version.
    """
    found = version(connection)
    if found > VERSION:
        raise NewerLogError(
            f"the prediction log has tables of version {found}, and this code knows versions up to {VERSION}: run the "
            "release that upgraded the log, or a later one, or set PREDICTION_LOG_URL to another log"
        )
    if found == VERSION:
        return
    metadata.create_all(connection)
    for table in metadata.sorted_tables:
        there = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
        for column in table.columns:
            if column.name not in there:
                definition = sa.schema.CreateColumn(column).compile(connection)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    connection.execute(versions.insert().values(version=VERSION))
