"""Queries of the prediction log: feedback, erasure, and the rows of a window of time.

Each function is one or a few short transactions and raises LogError where the database does not answer.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Engine as Database
from sqlalchemy import and_, delete, func, or_, select, text

from api.prediction_log.database import LogError, transaction, translated
from api.prediction_log.schema import Entry, feedback, first_id, now, predictions

_PAGE = 10_000  # rows


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
    inside = and_(predictions.c.id >= first_id(since), predictions.c.id < first_id(until))
    told = feedback.alias()
    latest = select(func.max(told.c.seq)).where(told.c.prediction == predictions.c.seq).correlate(predictions)
    page = (
        select(predictions.c.seq, *(predictions.c[name] for name in Entry._fields), feedback.c.actual, feedback.c.key)
        .select_from(predictions.outerjoin(feedback, feedback.c.seq == latest.scalar_subquery()))
        .where(inside)
        .order_by(predictions.c.seq)
        .limit(_PAGE)
    )
    with translated(), database.connect() as connection:
        # With a bare column PostgreSQL would look through all rows before the window, in the order of `seq`.
        seq = predictions.c.seq + 0
        start, last = connection.execute(select(func.min(seq), func.max(seq)).where(inside)).one()
    while start is not None:
        # Short transactions: during a long one PostgreSQL frees no rows, and SQLite's write-ahead log grows.
        with translated(), database.connect() as connection:
            rows = connection.execute(page.where(predictions.c.seq.between(start, last))).all()
        for _, *entry, actual, key in rows:
            yield Logged(Entry(*entry), actual, key)
        start = rows[-1].seq + 1 if len(rows) == _PAGE else None
