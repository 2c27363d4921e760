"""A raw table of a few rows, to be described by a first schema."""

import numpy as np
import pandas as pd

ROWS = 60
SIZES = np.random.default_rng(0).random(ROWS).round(6).astype(str).tolist()
PRICES = [str(k * 7 % 61) for k in range(ROWS)]


def table(**columns: object) -> pd.DataFrame:
    """Sizes that make every row another, prices to predict, and these columns, repeated over the rows."""
    return pd.DataFrame(
        {
            "size": SIZES,
            **{name: np.resize(np.array(values, dtype=object), ROWS) for name, values in columns.items()},
            "price": PRICES,
        }
    )
