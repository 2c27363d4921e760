"""Benchmark of drift: false alarms where nothing changed, power where something did, and the time that it takes.

python -m bench.drift
"""

import time
from collections.abc import Iterator

import msgspec
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import cross_val_predict

from bench import drift_peers, drift_samples
from bench.share import share
from pipeline.contract import params, schema
from pipeline.contract.column import Column
from pipeline.drift import alarms, live_rows, windows
from pipeline.drift.reference import prepare

GOAL = 0.015
# Evidently's figures: recorded by `python -m bench.drift_peers` (see there), version 0.7.23; alarms and trials.
EVIDENTLY: dict[str, tuple[int, int]] = {
    "50": (24, 60),
    "200": (34, 60),
    "1000": (39, 60),
    "mean + 0.5 sigma": (30, 30),
    "mean + 1 sigma": (30, 30),
    "scale x 1.5": (30, 30),
    "missing 5 % to 15 %": (18, 30),
    "permuted against the rest": (18, 30),
    "all beyond the maximum": (30, 30),
}


def families(reference: pd.DataFrame, live: pd.DataFrame) -> set[str]:
    """The families of tests that alarm, as `stages.drift.compare` decides it, without the details of its report."""
    about, limits = schema.load(), params.load(params.Drift)
    rows = live_rows.of_table(live)
    names = [c.name for c in about.features if c.name in reference and c.name in rows.columns]
    prepared = prepare(reference, names, about, None)
    pool = windows.read(rows, prepared.anchors, about, limits.window_rows, limits.min_rows)
    tests = alarms.run(prepared, pool.windows[0].sketch, about, limits, limits.alpha)
    return {test.family for test in tests if test.alarm}


def predicted(table: pd.DataFrame) -> pd.DataFrame:
    """The table with out-of-fold predictions and residuals, so that all five families of tests are there."""
    features = table.drop(columns=drift_samples.TARGET)
    model = RandomForestRegressor(100, random_state=0, min_samples_leaf=2)
    prediction = cross_val_predict(model, features, table[drift_samples.TARGET], cv=5)
    return table.assign(prediction=prediction, residual=table[drift_samples.TARGET] - prediction)


def lines() -> Iterator[str]:
    for place, part in enumerate((_unchanged, _changed, _times)):
        yield from [""] if place else []
        yield from part()


def _unchanged() -> Iterator[str]:
    yield "| no change: live rows | reports that alarm | by family | replaced rules | Evidently 0.7.23 | goal |"
    yield "|---|---|---|---|---|---|"
    whole = predicted(drift_samples.table())
    columns = [c.name for c in schema.load().features]
    for rows, trials in drift_samples.TRIALS.items():
        alarmed, old, by = (
            0,
            0,
            dict.fromkeys(("data_quality", "constant", "covariate", "joint", "prediction", "performance"), 0),
        )
        peers = min(trials, 500)
        for trial in range(trials):
            reference, now = drift_samples.unchanged(whole, rows, trial)
            found = families(reference, now.drop(columns="residual"))
            alarmed += bool(found)
            by = {family: count + (family in found) for family, count in by.items()}
            if trial < peers:
                old += drift_peers.fixed_limits(reference[columns], now[columns])
        verdict = f"at most {GOAL:.1%}: {'met' if alarmed / trials <= GOAL else 'missed'}"
        parts = ", ".join(f"{family} {count}" for family, count in by.items() if count) or "none"
        figures = [share(alarmed, trials), f"{parts} of {trials:,}", share(old, peers), _evidently(f"{rows}"), verdict]
        yield f"| {rows:,} | {' | '.join(map(str, figures))} |"


def _changed() -> Iterator[str]:
    yield "| change of one feature, 200 live rows | power | feature named | replaced rules | Evidently 0.7.23 |"
    yield "|---|---|---|---|---|"
    table = drift_samples.table().drop(columns=drift_samples.TARGET)
    for scenario in drift_samples.SCENARIOS:
        yield _power(table, scenario)


def _times() -> Iterator[str]:
    table = drift_samples.table().drop(columns=drift_samples.TARGET)
    yield "| 13 columns | rows | seconds of computing | one histogram pass over them |"
    yield "|---|---|---|---|"
    for rows in (1_000, 10_000, 100_000, 1_000_000):
        yield _timed(table, rows)
    yield ""
    yield "| 1,000 live rows | columns | seconds of computing |"
    yield "|---|---|---|"
    for columns in (10, 100, 1_000, 10_000):
        yield _wide(columns)


def _power(table: pd.DataFrame, scenario: str) -> str:
    about, limits = schema.load(), params.load(params.Drift)
    found = named = old = 0
    for feature, (reference, now) in drift_samples.changed(table, scenario):
        rows = live_rows.of_table(now)
        prepared = prepare(reference, list(reference), about, None)
        pool = windows.read(rows, prepared.anchors, about, limits.window_rows, limits.min_rows)
        tests = [t for t in alarms.run(prepared, pool.windows[0].sketch, about, limits, limits.alpha) if t.alarm]
        found += bool(tests)
        named += any(feature == t.subject or feature in [value for _, value in t.detail] for t in tests)
        old += drift_peers.fixed_limits(reference, now)
    n = drift_samples.POWER_TRIALS
    return f"| {scenario} | {share(found, n)} | {named / n:.1%} | {share(old, n)} | {_evidently(scenario)} |"


def _timed(table: pd.DataFrame, rows: int) -> str:
    from stages.drift import compare

    reference, now = drift_samples.unchanged(table, max(rows, 1_000), 0)
    reference = reference.head(405)
    started = time.process_time()
    for name in now:
        np.histogram(now[name].to_numpy(float), 20)
    floor = time.process_time() - started
    started = time.process_time()
    compare(reference, now, schema.load(), params.load(params.Drift))
    return f"| all of `compare` | {rows:,} | {time.process_time() - started:.2f} | {floor:.2f} |"


def _wide(columns: int) -> str:
    from stages.drift import compare

    generator = np.random.default_rng(drift_samples.SEED)
    names = [f"f{k}" for k in range(columns)]
    about = msgspec.structs.replace(
        schema.load(), columns=(*(Column(name, "float") for name in names), Column("y", "float", role="target"))
    )
    reference, now = (pd.DataFrame(generator.normal(size=(n, columns)), columns=names) for n in (405, 1_000))
    started = time.process_time()
    compare(reference, now, about, params.load(params.Drift))
    return f"| all of `compare` | {columns:,} | {time.process_time() - started:.2f} |"


def _evidently(what: str) -> str:
    return str(share(*EVIDENTLY[what])) if what in EVIDENTLY else ""


def main() -> None:
    for line in lines():
        print(line, flush=True)


if __name__ == "__main__":
    main()
