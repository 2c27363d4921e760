"""The peers of drift: PSI 0.2 or KS p < 0.01 per column, and Evidently's DataDriftPreset.

Evidently wants an older pandas than the pipeline has, so it runs in an environment of its own:

    uv venv /tmp/evidently && uv pip install --python /tmp/evidently 'evidently==0.7.23' 'pandas<3'
    /tmp/evidently/bin/python -m bench.drift_peers
"""

import time

import numpy as np
import pandas as pd
from scipy import stats

from bench import drift_samples

FEWER = 60  # trials: it takes seconds for each


def fixed_limits(reference: pd.DataFrame, live: pd.DataFrame) -> bool:
    """Does some column have a PSI above 0.2 or a KS p-value below 0.01, as the replaced script asks?"""
    return any(_moved(reference[n].dropna().to_numpy(), live[n].dropna().to_numpy()) for n in reference)


def _moved(reference: np.ndarray, live: np.ndarray) -> bool:
    if stats.ks_2samp(reference, live).pvalue < 0.01:
        return True
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, 11)))
    if len(edges) < 2:
        return False
    # Values outside of the edges are dropped, as there.
    ours, theirs = (np.clip(np.histogram(s, edges)[0] / max(len(s), 1), 1e-4, None) for s in (reference, live))
    return float(((theirs - ours) * np.log(theirs / ours)).sum()) > 0.2


def some_column(reference: pd.DataFrame, live: pd.DataFrame) -> bool:
    """Does Evidently's preset call some column drifted?"""
    return _drifted_columns(reference, live) > 0


def _drifted_columns(reference: pd.DataFrame, live: pd.DataFrame) -> float:
    from evidently import Report
    from evidently.presets import DataDriftPreset

    result = Report([DataDriftPreset()]).run(live, reference).dict()
    return next(float(m["value"]["count"]) for m in result["metrics"] if "DriftedColumnsCount" in m["metric_name"])


def main() -> None:
    import evidently

    print(f"Evidently {evidently.__version__}")
    table = drift_samples.table().drop(columns=drift_samples.TARGET)
    for rows in (50, 200, 1_000):
        started = time.process_time()
        count = sum(some_column(*drift_samples.unchanged(table, rows, trial)) for trial in range(FEWER))
        seconds = (time.process_time() - started) / FEWER
        print(f"unchanged, {rows} live rows: {count} of {FEWER}, {seconds:.2f} s each", flush=True)
    for scenario in drift_samples.SCENARIOS:
        pairs = drift_samples.changed(table, scenario, FEWER // 2)
        print(f"{scenario}: {sum(some_column(*pair) for _, pair in pairs)} of {FEWER // 2}", flush=True)


if __name__ == "__main__":
    main()
