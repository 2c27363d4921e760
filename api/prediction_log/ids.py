"""The ids of predictions: version 7 UUIDs as 32 hexadecimal digits, which begin with their time."""

import os
import time

import numpy as np


def now() -> int:
    """Return the milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def new_ids(milliseconds: int, count: int) -> list[str]:
    """Return new ids of a moment. Later moments have greater ids, so an index grows at its end."""
    ids = np.frombuffer(os.urandom(16 * count), dtype=np.uint8).reshape(count, 16).copy()
    ids[:, :6] = list(milliseconds.to_bytes(6, "big"))
    # RFC 9562, section 5.7: four bits of version, two of variant, the others random.
    ids[:, 6] = ids[:, 6] & 0x0F | 0x70
    ids[:, 8] = ids[:, 8] & 0x3F | 0x80
    digits = ids.tobytes().hex()
    return [digits[start : start + 32] for start in range(0, len(digits), 32)]


def first_id(moment: int) -> str:
    """Return a lower bound of the ids of this millisecond and of all later ones."""
    return f"{min(max(moment, 0), 2**48 - 1):012x}"
