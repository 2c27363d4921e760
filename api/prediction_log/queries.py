"""Queries of the prediction log: feedback, retention, erasure, and the rows of a window of time.

Each function is one or a few short transactions and raises LogError where the database does not answer.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Engine as Database
from sqlalchemy import delete, func, or_, select, text

from api.prediction_log.database import LogError, transaction, translated
from api.prediction_log.schema import Entry, feedback, first_id, now, predictions

# Rows that one transaction deletes: few, so that a prediction hardly waits for it.
STEP = 500
DAY = 86_400_000  # milliseconds


class Noted(NamedTuple):
    """`id`: the server's own. `previous`: the actual value before, None where there was none."""

    id: str
    changed: bool
    previous: float | None


class Logged(NamedTuple):
    """`actual`: the latest actual value, None without feedback. `key`: the name of the API key that told it, None
    without one."""

    entry: Entry
    actual: float | None
    key: str | None


def note_actual(database: Database, given: str, actual: float, key: str | None) -> Noted | None:
    """Add the actual value to the prediction with this id of the server, or else to the latest with this own id.

    `key`: the name of the API key that tells it. The latest value counts; a value that equals it is not added. Returns
    None where there is no such prediction.
    """
    # Locked (by PostgreSQL; SQLite has one writer), so that two equal values are one.
    latest = select(predictions.c.seq, predictions.c.id).order_by(predictions.c.seq.desc()).limit(1).with_for_update()
    with transaction(database) as connection:
        found = connection.execute(latest.where(predictions.c.id == given)).one_or_none()
        found = found or connection.execute(latest.where(predictions.c.own == given)).one_or_none()
        if found is None:
            return None
        told = select(feedback.c.actual).where(feedback.c.prediction == found.seq)
        previous = connection.scalar(told.order_by(feedback.c.seq.desc()).limit(1))
        if previous != actual:
            connection.execute(feedback.insert().values(prediction=found.seq, time=now(), actual=actual, key=key))
        return Noted(found.id, previous != actual, previous)


def prune(database: Database, max_days: int, max_rows: int) -> int:
    """Delete the oldest predictions over an age or a count (0: no limit), at most STEP, with their feedback.

    Returns how many. Rows are counted by `seq`: erased ones count too.
    """
    over = []
    if max_days:
        # An id begins with its time, and the ids are indexed.
        over.append(predictions.c.id < first_id(now() - max_days * DAY))
    if max_rows:
        over.append(predictions.c.seq <= select(func.max(predictions.c.seq)).scalar_subquery() - max_rows)
    if not over:
        return 0
    with transaction(database) as connection:
        oldest = select(predictions.c.seq).where(or_(*over)).order_by(predictions.c.seq).limit(STEP)
        gone = list(connection.scalars(oldest))
        connection.execute(delete(feedback).where(feedback.c.prediction.in_(gone)))
        connection.execute(delete(predictions).where(predictions.c.seq.in_(gone)))
    return len(gone)


def erase(database: Database, given: str) -> tuple[int, int]:
    """Delete every prediction with this id, the server's or the caller's own, and its feedback.

    Returns how many predictions and feedback values. SQLite's files then hold no trace of them.
    Raises LogError where they are deleted and SQLite's write-ahead log could not be emptied.
    """
    with transaction(database) as connection:
        chosen = or_(predictions.c.id == given, predictions.c.own == given)
        gone = select(predictions.c.seq).where(chosen)
        notes = connection.execute(delete(feedback).where(feedback.c.prediction.in_(gone))).rowcount
        rows = connection.execute(delete(predictions).where(chosen)).rowcount
    if database.dialect.name == "sqlite":
        with translated(), database.connect() as connection:
            if connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).one()[0]:
                raise LogError("deleted, but the write-ahead log still holds it, for others read the log; run it again")
    return rows, notes


def window(database: Database, since: int, until: int) -> Iterator[Logged]:
    """Yield the predictions from `since` to before `until` (milliseconds since 1970), the oldest first."""
    last = func.max(feedback.c.seq).label("seq")
    latest = select(feedback.c.prediction, last).group_by(feedback.c.prediction).subquery()
    query = (
        select(*(predictions.c[name] for name in Entry._fields), feedback.c.actual, feedback.c.key)
        .outerjoin(latest, latest.c.prediction == predictions.c.seq)
        .outerjoin(feedback, feedback.c.seq == latest.c.seq)
        .where(predictions.c.id >= first_id(since), predictions.c.id < first_id(until))
        .order_by(predictions.c.seq)
        .execution_options(yield_per=10_000)
    )
    with translated(), database.connect() as connection:
        for row in connection.execute(query):
            yield Logged(Entry(*row[:-2]), *row[-2:])
