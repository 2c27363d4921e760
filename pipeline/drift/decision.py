"""The decision on drift: the tests of every window of live rows, and the verdict that follows from them."""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.contract.params import Drift
from pipeline.contract.schema import Schema
from pipeline.drift import alarms, alpha_spending, risk
from pipeline.drift.alarms import Result
from pipeline.drift.reference import Reference
from pipeline.drift.sketch import Sketch
from pipeline.drift.windows import Block, Pool

# Numbers of the features, codes of bools and categories, to predictions [rows].
Predict = Callable[[pd.DataFrame], np.ndarray]

SHIFTS = ("covariate", "joint", "prediction")
BROKEN = ("data_quality", "constant")


class Judged(NamedTuple):
    """A block of rows, the share of alpha that it could spend, and what its tests found."""

    block: Block
    alpha: float
    tests: list[Result]

    @property
    def alarms(self) -> list[Result]:
        return [test for test in self.tests if test.alarm]


class Evidence(NamedTuple):
    """`judged`: every block, in order; `sketch` and `tests`: of the rows that are shown, from the first block that
    alarms on, each alarming where one of the blocks did; `expected`: as `risk.expected` gives it."""

    judged: list[Judged]
    sketch: Sketch
    tests: list[Result]
    expected: dict[str, Any] | None


def gather(
    reference: Reference,
    pool: Pool,
    schema: Schema,
    params: Drift,
    importance: dict[str, float] | None,
    predict: Predict | None,
) -> Evidence:
    """Test every window, and for the report all rows from the first window that alarms on."""
    judged = []
    for number, block in enumerate(pool.blocks, start=1):
        alpha = params.alpha * (alpha_spending.share(number) if pool.timed else 1.0)
        known = _predicted(block.sketch, predict)
        tests = alarms.run(reference, known, schema, params, alpha)
        judged.append(Judged(Block(known, block.first, block.last), alpha, tests))
    shown, tests = judged[0].block.sketch, judged[0].tests
    if pool.timed:
        start = next((place for place, look in enumerate(judged) if look.alarms), 0)
        rest = [_predicted(pool.rest, predict)] if pool.rest else []
        shown = reduce(add, [*(look.block.sketch for look in judged[start:]), *rest])
        tests = [_alarmed(test, judged) for test in alarms.run(reference, shown, schema, params, params.alpha)]
    return Evidence(judged, shown, tests, risk.expected(reference, shown, importance))


def verdict(evidence: Evidence, params: Drift) -> dict[str, Any]:
    alarms = {test.family for look in evidence.judged for test in look.alarms}
    # Predictions that move alone, where values are broken, follow from these.
    causes = ("covariate", "joint") if alarms & set(BROKEN) else SHIFTS
    moved = bool(alarms & set(causes))
    rose = moved and (evidence.expected or {}).get("low", 0.0) > 1 + params.min_risk
    risk = rose or "performance" in alarms
    word = "risk" if risk else "shifted" if moved else "data_quality" if alarms else "none"
    return {"verdict": word, "drift_detected": bool(alarms), "retrain": risk or (params.retrain_on_shift and moved)}


def _alarmed(test: Result, judged: list[Judged]) -> Result:
    """The test of all rows that are shown, alarming where a block did: with the block's own figures, where what it saw
    is hard to see in the whole."""
    same = (
        t for look in judged for t in look.alarms if t.kind == test.kind and (t.subject == test.subject or test.one)
    )
    found = next(same, None)
    if found is None:
        return test._replace(alarm=False)
    return test._replace(alarm=True) if abs(test.effect) >= test.floor else found


def _predicted(sketch: Sketch, predict: Predict | None) -> Sketch:
    if predict is None:
        return sketch
    sample, labelled = (part.assign(prediction=predict(part)) for part in (sketch.sample, sketch.labelled))
    return replace(sketch, sample=sample, labelled=labelled)
