"""What is remembered of a fit, beside the fit itself."""

from typing import Any, NamedTuple

import numpy as np


class Record(NamedTuple):
    """How a fit came about. RMSEs are in the target's unit; `out_of_fold` is aligned with the training rows, each
    predicted by a model that saw none of its fold; `tried` counts the settings; `indicators` names the features whose
    missing values the model is told of, beside the value that replaces them."""

    family: str
    settings: dict[str, Any]
    cv_rmse: float
    cv_rmse_se: float
    out_of_fold: np.ndarray
    tried: int
    indicators: tuple[str, ...]
