"""Queries of the prediction log: feedback, retention, erasure, and the rows of a window of time.

Each function is one or a few short transactions and raises LogError where the database does not answer.
"""

import time
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Engine, delete, func, or_, select, text

from api.prediction_log.database import LogError, transaction, translated
from api.prediction_log.schema import Entry, feedback, predictions

# Rows that one transaction deletes: short enough that a prediction hardly waits for it.
STEP = 500
DAY = 86_400_000  # milliseconds


class Noted(NamedTuple):
    """`id` is ours; `changed`: whether this value is news; `previous`: the one before, None where there was none."""

    id: str
    changed: bool
    previous: float | None


class Erased(NamedTuple):
    predictions: int
    feedback: int


def note_actual(engine: Engine, given: str, actual: float) -> Noted | None:
    """Keep the actual value of the prediction with this id, ours or else the latest with the caller's own; None where
    there is no such prediction. The same value again changes nothing; another one is added, and the latest counts."""
    with transaction(engine) as connection:
        # Locked (by PostgreSQL; SQLite has one writer), so that two equal values are one.
        found = None
        for column in (predictions.c.id, predictions.c.own):
            found = (
                found
                or connection.execute(
                    select(predictions.c.seq, predictions.c.id)
                    .where(column == given)
                    .order_by(predictions.c.seq.desc())
                    .limit(1)
                    .with_for_update()
                ).one_or_none()
            )
        if found is None:
            return None
        previous = connection.scalar(
            select(feedback.c.actual).where(feedback.c.prediction == found.seq).order_by(feedback.c.seq.desc()).limit(1)
        )
        changed = previous != actual
        if changed:
            connection.execute(feedback.insert().values(prediction=found.seq, time=now(), actual=actual))
        return Noted(found.id, changed, previous)


def prune(engine: Engine, max_days: int, max_rows: int) -> int:
    """Delete the oldest predictions, at most STEP of them, that are over an age or a count (0: no limit), with their
    feedback; returns how many. The count is that of the sequence: rows that were erased count too."""
    over = []
    if max_days:
        # The first 48 bits of an id are its time, and the ids are indexed.
        over.append(predictions.c.id < first_id(now() - max_days * DAY))
    if max_rows:
        over.append(predictions.c.seq <= select(func.max(predictions.c.seq)).scalar_subquery() - max_rows)
    if not over:
        return 0
    with transaction(engine) as connection:
        oldest = connection.scalars(select(predictions.c.seq).where(or_(*over)).order_by(predictions.c.seq).limit(STEP))
        gone = list(oldest)
        if gone:
            connection.execute(delete(feedback).where(feedback.c.prediction.in_(gone)))
            connection.execute(delete(predictions).where(predictions.c.seq.in_(gone)))
    return len(gone)


def erase(engine: Engine, given: str) -> Erased:
    """Delete every prediction with this id, ours or the caller's own, with its feedback, so that SQLite's files hold no
    trace of them.

    Raises LogError where they are deleted and SQLite's write-ahead log could not be emptied.
    """
    with transaction(engine) as connection:
        chosen = or_(predictions.c.id == given, predictions.c.own == given)
        gone = select(predictions.c.seq).where(chosen)
        notes = connection.execute(delete(feedback).where(feedback.c.prediction.in_(gone))).rowcount
        rows = connection.execute(delete(predictions).where(chosen)).rowcount
    if engine.dialect.name == "sqlite":
        with translated(), engine.connect() as connection:
            if connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).one()[0]:
                raise LogError("deleted, but the write-ahead log still holds it, for others read the log; run it again")
    return Erased(rows, notes)


class Logged(NamedTuple):
    """An entry with its latest actual value, None where nobody told one."""

    entry: Entry
    actual: float | None


def window(engine: Engine, since: int, until: int) -> Iterator[Logged]:
    """The predictions from `since` to before `until` (milliseconds since 1970), the oldest first."""
    latest = (
        select(feedback.c.prediction, func.max(feedback.c.seq).label("seq")).group_by(feedback.c.prediction).subquery()
    )
    columns = [predictions.c[name] for name in Entry._fields]
    query = (
        select(*columns, feedback.c.actual)
        .outerjoin(latest, latest.c.prediction == predictions.c.seq)
        .outerjoin(feedback, feedback.c.seq == latest.c.seq)
        .where(predictions.c.id >= first_id(since), predictions.c.id < first_id(until))
        .order_by(predictions.c.seq)
        .execution_options(yield_per=10_000)
    )
    with translated(), engine.connect() as connection:
        for row in connection.execute(query):
            yield Logged(Entry(*row[:-1]), row[-1])


def now() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def first_id(moment: int) -> str:
    """A lower bound of the ids of this millisecond and of all later ones."""
    return f"{min(max(moment, 0), 2**48 - 1):012x}"
