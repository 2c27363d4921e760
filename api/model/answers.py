"""The model's answers to rows, as entries of the prediction log."""

import math
from itertools import repeat

import msgspec
import numpy as np

from api.http.responses import Prediction
from api.model.loader import Served
from api.prediction_log.repeats import digest
from api.prediction_log.schema import Caller, Entry, new_ids, now
from api.requests import batch
from api.requests.diagnostics import Row
from pipeline.contract.columns import matrix_columns

_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines

# A row, its JSON without whitespace, and who sent it.
Asked = tuple[Row, str, Caller]


class NotFiniteError(Exception):
    """The model's answer is not finite, although each value is allowed. `rows`: their numbers."""

    def __init__(self, rows: list[int]) -> None:
        self.rows = rows


def compute(served: Served, rows: list[Asked], body: str | None = None) -> list[Entry]:
    """Return the model's answers to these rows, some perhaps not finite, as entries of the log.

    `body`: the digest of the request's body, where it has an idempotency key.
    """
    about = served.model.description
    matrix = served.model.inputs(np.array([row.numbers for row, _, _ in rows], dtype=float))
    results = served.model.predict(matrix).tolist()
    values = np.array([about.imputed.get(column.name, math.nan) for column in matrix_columns(about.columns)])
    learned = served.model.inputs(values)
    used = _encode_lines(np.where(np.isnan(matrix), learned, matrix).tolist()).decode().splitlines()
    time, md5, promoted = now(), served.md5, served.promoted
    entries = []
    for key, (row, sent, caller), as_json, result in zip(new_ids(time, len(rows)), rows, used, results, strict=True):
        prediction, lower, upper = result
        imputed = _encode(row.imputed).decode() if row.imputed else None
        asked = caller.key, caller.request, caller.trace, caller.idempotency
        entries.append(
            Entry(key, time, row.own, sent, as_json, prediction, lower, upper, md5, promoted, imputed, *asked, body)
        )
    return entries


def answer_of(entry: Entry) -> Prediction:
    """Return the answer that an entry of the log holds."""
    imputed = [] if entry.imputed is None else msgspec.json.decode(entry.imputed)
    return Prediction(entry.prediction, entry.lower, entry.upper, entry.id, entry.model, imputed)


def compute_batch(served: Served, body: bytes, most: int, caller: Caller) -> list[Entry]:
    """Return the log's entries of a batch.

    Raises NotFiniteError and what `batch.decode` raises.
    """
    rows, sent = batch.decode(body, served.contract, most)
    if not rows:
        return []
    about = digest(f"[{','.join(sent)}]") if caller.idempotency is not None else None
    return finite(compute(served, list(zip(rows, sent, repeat(caller))), about))


def finite(entries: list[Entry]) -> list[Entry]:
    wrong = [number for number, entry in enumerate(entries) if not is_finite(entry)]
    if wrong:
        raise NotFiniteError(wrong)
    return entries


def is_finite(entry: Entry) -> bool:
    return math.isfinite(entry.prediction + entry.lower + entry.upper)
