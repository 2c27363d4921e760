"""The wear of a test split: the models that were judged before on the rows of today's split.

Rows wear, not files: one row more, or another order, is no new split. Each line of metrics/history.jsonl has a sketch
of its rows, so that the share of today's rows that an earlier verdict was made on can be told from the history alone.
"""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.contract import paths
from pipeline.contract.column import Column
from pipeline.contract.errors import PipelineError
from pipeline.tables import row_hash

SAME = 0.5  # An earlier verdict counts where more than this share of today's rows was in it.
SIZE = 128  # hashes of a sketch: 1,024 characters; docs/gate.md has the error of the estimate

_SALT = np.uint64(0x3EA5)
_TYPE = np.dtype(">u4")  # 32 bits tell apart the few hashes of a sketch, whatever the number of rows


def sketch(table: pd.DataFrame, columns: tuple[Column, ...]) -> str:
    """Return the SIZE smallest hashes of the rows of a typed table, ascending, in hex: a bottom-k sketch (Broder 1997,
    On the resemblance and containment of documents).

    A row is known by its id, else by the values of all `columns` that the table has. Equal rows are numbered, so that
    two of them are two rows.
    """
    present = tuple(column for column in columns if column.name in table)
    ids = tuple(column for column in present if column.role == "id")
    key = pd.Series(row_hash.hash_rows(table, ids or present))
    again = pd.util.hash_array(key.groupby(key).cumcount().to_numpy())
    hashes = row_hash.mix(key.to_numpy() ^ again, _SALT) >> np.uint64(32)
    return np.unique(hashes)[:SIZE].astype(_TYPE).tobytes().hex()


def share_seen(today: str, earlier: str) -> float:
    """Estimate the share of today's rows that an earlier split had, from the two sketches; exact where both splits
    have fewer than SIZE rows.

    Below the largest hash of a full sketch all hashes of its rows are known: up to the smaller such limit, the sketches
    are samples of the rows by one rule (Cohen and Kaplan 2007, Summarizing data using bottom-k sketches). Where none of
    today's rows is below the limit nothing is known, and all count as seen.
    """
    new, old = _hashes(today), _hashes(earlier)
    limit = min((each[-1] for each in (new, old) if len(each) == SIZE), default=np.inf)
    sampled = new[new <= limit]
    return float(np.isin(sampled, old).mean()) if len(sampled) else 1.0


def looks(entries: list[dict[str, Any]], test: str, rows: str, challenger: str) -> list[str]:
    """Return the md5 of each other model that was judged against a champion on today's split, oldest first.

    `entries` are the lines of the history, `test` is the hash of today's test file, `rows` the sketch of its rows.
    Lines without a sketch, which are older, match by `test`. Leaves out models judged without a champion, and a
    champion judged against itself.
    """
    counting = (
        entry["challenger"]
        for entry in entries
        if entry.get("challenger") not in (None, challenger, entry.get("champion"))
        and entry.get("rmse_current", 0) is not None
        and (entry.get("test") == test or ("row_sketch" in entry and share_seen(rows, entry["row_sketch"]) > SAME))
    )
    return list(dict.fromkeys(counting))


def _hashes(text: str) -> np.ndarray:
    try:
        return np.frombuffer(bytes.fromhex(text), _TYPE)
    except (TypeError, ValueError):
        raise PipelineError(
            f"{paths.HISTORY}: expected a sketch of rows in hex under 'row_sketch', found {str(text)[:60]!r}: restore "
            "the line from Git"
        ) from None
