"""Retention: the predictions that are over the limits of the log are deleted, in short steps; and the log's size."""

from pathlib import Path

from sqlalchemy import Engine as Database
from sqlalchemy import Select, delete, func, select, text

from api.prediction_log.database import transaction, translated
from api.prediction_log.schema import feedback, first_id, now, predictions

# Rows that one transaction deletes: few, so that a prediction hardly waits for it.
STEP = 500
DAY = 86_400_000  # milliseconds
_SIZE = text("SELECT pg_total_relation_size('predictions') + pg_total_relation_size('feedback')")


def prune(database: Database, max_days: int, max_rows: int) -> int:
    """Delete the oldest predictions over an age or a count (0: no limit), at most STEP, with their feedback.

    Returns how many. Rows are counted by `seq`: erased ones count too.
    """
    # Nothing is locked yet: predictions are written meanwhile.
    with translated(), database.connect() as connection:
        found = {seq for query in over(max_days, max_rows) for seq in connection.scalars(query)}
    gone = sorted(found)[:STEP]
    if gone:
        with transaction(database) as connection:
            connection.execute(delete(feedback).where(feedback.c.prediction.in_(gone)))
            connection.execute(delete(predictions).where(predictions.c.seq.in_(gone)))
    return len(gone)


def over(max_days: int, max_rows: int) -> list[Select[tuple[int]]]:
    """Return a query for each limit: the `seq` of the oldest predictions over it, at most STEP, by an index."""
    queries = []
    if max_days:
        # An id begins with its time.
        old = predictions.c.id < first_id(now() - max_days * DAY)
        queries.append(select(predictions.c.seq).where(old).order_by(predictions.c.id).limit(STEP))
    if max_rows:
        surplus = predictions.c.seq <= select(func.max(predictions.c.seq)).scalar_subquery() - max_rows
        queries.append(select(predictions.c.seq).where(surplus).order_by(predictions.c.seq).limit(STEP))
    return queries


def size(database: Database) -> int:
    """Return the bytes that the log takes, with its indexes and SQLite's write-ahead log."""
    if database.dialect.name == "sqlite":
        path = database.url.database or ""
        return sum(Path(name).stat().st_size for name in (path, f"{path}-wal") if Path(name).exists())
    with translated(), database.connect() as connection:
        return connection.execute(_SIZE).scalar_one()
