"""What the model is expected to lose on the live rows, from the features that it depends on."""

from typing import Any

import numpy as np

from pipeline.drift import correlation_test, expected_loss
from pipeline.drift.reference import Reference, expanded
from pipeline.drift.sketch import Sketch

# Effective rows below which a weighted RMSE is the error of a handful of rows.
FEWEST = 30


def expected(reference: Reference, live: Sketch, importance: dict[str, float] | None) -> dict[str, Any] | None:
    """RMSE of the reference, expected for the live rows, their ratio with its interval (as `loss.expected` says), and
    the share of live rows of which that says nothing: `beyond` the reference in a feature that matters.

    With less than FEWEST effective rows, or most live rows beyond, the reference is too unlike them to say anything:
    ratio and interval are left out. None where the reference has no residuals, or the model depends on nothing that
    both sides have.
    """
    names = [n for n in reference.ordered if importance is None or importance.get(n, 0.0) > 0]
    if "residual" not in reference.table or not names or not len(live.sample):
        return None
    known = reference.table[reference.table["residual"].notna()]
    part = Reference(reference.anchors, reference.sketch, reference.table, tuple(names))
    ours, theirs = (expanded(part, table, correlation_test.FEATURES) for table in (known, live.sample))
    usual = ours.median().fillna(0.0)
    residuals = known["residual"].to_numpy()
    result = expected_loss.expected(ours.fillna(usual).to_numpy(), theirs.fillna(usual).to_numpy(), residuals)
    before = float(np.sqrt(np.square(residuals).mean()))
    outside = (theirs < ours.min()) | (theirs > ours.max())
    about = {
        "rmse_reference": before,
        "effective_rows": result.effective,
        "beyond": float(outside.any(axis=1).mean()),
    }
    if result.effective < FEWEST or about["beyond"] > 0.5:
        return about
    return {
        **about,
        "rmse_expected": before * result.ratio,
        "ratio": result.ratio,
        "low": result.low,
        "high": result.high,
    }
