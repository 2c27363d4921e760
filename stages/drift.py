"""Drift: do live rows still look like the training rows?

Reads models/reference.parquet, data/live, data/schema.yaml, params `drift`; writes metrics/drift.json.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages import cells, errors, files, params, schema, shift, tables
from stages.matrix import to_matrix
from stages.params import Drift
from stages.schema import Column, Schema

LIVE = Path("data/live")


def compare(reference: pd.DataFrame, live: pd.DataFrame, schema: Schema, params: Drift) -> dict[str, Any]:
    """Compare typed tables feature by feature; features that one side does not have are left out.

    `verdict` is `insufficient` (too few live rows), `none`, `data_quality` (a missing rate changed) or `shifted`
    (a distribution changed); `drift_detected` is true for the last two. The p-values of all features and both tests
    are Holm-corrected together, so that the whole report alarms by chance at most `alpha` of the time.
    """
    features = [c for c in schema.features if c.name in reference and c.name in live]
    report: dict[str, Any] = {"n_reference": len(reference), "n_live": len(live), "alpha": params.alpha}
    if len(live) < params.min_rows:
        return report | {"verdict": "insufficient", "drift_detected": False, "features": {}}
    tests = [test for column in features for test in _tests(column, reference, live)]
    adjusted = shift.holm([test["p_value"] for test in tests])
    details: dict[str, dict[str, Any]] = {column.name: {} for column in features}
    for test, p in zip(tests, adjusted, strict=True):
        details[test["feature"]][test["test"]] = {
            "effect": test["effect"],
            "p_value": test["p_value"],
            "p_adjusted": p,
            "alarm": p < params.alpha,
        }
    alarms = {name for tests in details.values() for name, test in tests.items() if test["alarm"]}
    verdict = "shifted" if "values" in alarms else "data_quality" if "missing" in alarms else "none"
    return report | {"verdict": verdict, "drift_detected": bool(alarms), "features": details}


def _tests(column: Column, reference: pd.DataFrame, live: pd.DataFrame) -> list[dict[str, Any]]:
    sides = [to_matrix(table, (column,))[:, 0] for table in (reference, live)]
    missing = [np.isnan(side) for side in sides]
    found = [("missing", *shift.rates(missing[0], missing[1]))]
    known = [side[~gone] for side, gone in zip(sides, missing, strict=True)]
    if all(side.size for side in known):
        count = {"bool": 2, "category": len(column.categories)}.get(column.dtype)
        found.append(
            ("values", *(shift.categories(known[0], known[1], count) if count else shift.numbers(known[0], known[1])))
        )
    return [{"feature": column.name, "test": name, "effect": effect, "p_value": p} for name, effect, p in found]


def read_live(folder: Path, schema: Schema) -> pd.DataFrame:
    """Every row of the folder as typed features; values that the schema does not allow are kept where they are
    numbers, for they are what drift is about, and missing where they are nothing."""
    parts = [path for path in sorted(folder.glob("*")) if path.suffix.lower() in (".csv", ".parquet")]
    typed = []
    for path in parts:
        raw = tables.read_part(path)
        typed.append(cells.parse(raw, tuple(column for column in schema.features if column.name in raw))[0])
    return pd.concat(typed, ignore_index=True) if typed else pd.DataFrame()


def main() -> None:
    table_schema = schema.load()
    live = read_live(LIVE, table_schema)
    report = compare(tables.read(Path("models/reference.parquet")), live, table_schema, params.load("drift"))
    files.write_json(Path("metrics/drift.json"), report)
    moved = [name for name, tests in report["features"].items() if any(test["alarm"] for test in tests.values())]
    print(f"drift: {report['verdict']} ({report['n_live']} live rows){': ' + ', '.join(moved) if moved else ''}")


if __name__ == "__main__":
    errors.run(main)
