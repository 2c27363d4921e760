"""Repeated requests: within a day a retry gets the answer that the log has, and adds no row.

The log's rows are the stored answers, so they survive a restart, serve all workers, and go when they are erased.
"""

import zlib
from hashlib import blake2b

import sqlalchemy as sa

from api.prediction_log.schema import FIELDS, ROWS, Entry, first_id, insert, mark, now, predictions

WITHIN = 86_400_000  # milliseconds
_OF_KEY = (
    sa.select(*(predictions.c[name] for name in Entry._fields))
    .where(
        predictions.c.idempotency == sa.bindparam("word"),
        predictions.c.key.is_not_distinct_from(sa.bindparam("name")),
        predictions.c.id >= sa.bindparam("since"),
    )
    .order_by(predictions.c.seq)
)
# In PostgreSQL, transactions with one word take turns. They lock its bucket, for the table of locks is small.
_LOCK, _BUCKETS = 521_730, 64


class KeyReusedError(Exception):
    """An idempotency key came again with another body."""


def digest(body: str) -> str:
    """Return 32 hexadecimal digits that tell one body of a request from another."""
    return blake2b(body.encode(), digest_size=16).hexdigest()


def record(connection: sa.Connection, entries: list[Entry]) -> list[Entry]:
    """Insert the entries that are new, and return for each the one that the log has now.

    Entries with an idempotency key are those of one request, and are in the log if that caller's key is. Without a key,
    an entry is in the log if the latest one with its own id has the same caller, content and model: what was asked with
    other content in between is asked again.

    Raises KeyReusedError.
    """
    key = entries[0].idempotency
    words = [key] if key is not None else sorted({entry.own for entry in entries if entry.own is not None})
    if not words:
        insert(connection, entries)
        return entries
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
        buckets = sorted({zlib.crc32(word.encode()) % _BUCKETS for word in words})
        turn = "SELECT pg_advisory_xact_lock(%s, bucket) FROM unnest(%s::int[]) AS bucket"
        connection.exec_driver_sql(turn, (_LOCK, buckets))
    found = _of_own_ids(connection, entries, words) if key is None else _of_key(connection, entries)
    insert(connection, [entry for entry, known in zip(entries, found, strict=True) if entry is known])
    return found


def _of_key(connection: sa.Connection, entries: list[Entry]) -> list[Entry]:
    first = entries[0]
    of_key = {"word": first.idempotency, "name": first.key, "since": first_id(now() - WITHIN)}
    known = [Entry(*row) for row in connection.execute(_OF_KEY, of_key)]
    if any(entry.body != first.body for entry in known):
        raise KeyReusedError
    # Fewer where some were erased: then the request is answered anew.
    return known[-len(entries) :] if len(known) >= len(entries) else entries


def _of_own_ids(connection: sa.Connection, entries: list[Entry], ids: list[str]) -> list[Entry]:
    latest: dict[str | None, Entry] = {}
    for start in range(0, len(ids), ROWS):
        part = tuple(ids[start : start + ROWS])
        asked = ", ".join([f"({mark(connection)})"] * len(part))
        # One step in the index for each id, however many predictions it has.
        last = f"SELECT (SELECT max(seq) FROM predictions WHERE own = column1) FROM (VALUES {asked}) AS asked"  # noqa: S608
        stored = f"SELECT {FIELDS} FROM predictions WHERE seq IN ({last})"  # noqa: S608 - our own words
        found = (Entry(*row) for row in connection.exec_driver_sql(stored, part))
        latest |= {entry.own: entry for entry in found}
    since = now() - WITHIN
    known_or_new = []
    for entry in entries:
        known = latest.get(entry.own)
        if known is None or known.time < since or _content(known) != _content(entry):
            known = entry
        if entry.own is not None:
            latest[entry.own] = known
        known_or_new.append(known)
    return known_or_new


def _content(entry: Entry) -> tuple[str | None, str, str]:
    return entry.key, entry.sent, entry.model
