"""Error rates and power of the gate with models that are really fitted: seeded simulations on generated tables.

A trial draws a table, fits the recipes of two models, and asks `decide` which may replace which, with each kind of
evidence. Equal models are so by construction: they have other seeds, see other noise features, or the share of the
target that no straight line follows is such that ridge regression and boosting have the same risk.
The counts are kept in bench/gate_fits.json; without that file, `python -m bench gate` takes about an hour on two cores.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import msgspec
import numpy as np
from tqdm import tqdm

from bench.gate_tables import CELLS, Cell, Recipe
from bench.share import share
from pipeline.contract.params import Gate
from pipeline.gate import repeated_cv
from pipeline.gate.decision import decide
from pipeline.gate.out_of_fold import OutOfFold
from pipeline.training.cross_validation import Split

PATH = Path("bench/gate_fits.json")
SEED = 21
FRESH = 4_000  # rows that show the models' true RMSE
POLICIES = ("superior", "probably_better")


class Trial(NamedTuple):
    """Who was promoted, by direction, evidence and policy, and the logarithm of the true ratio of the RMSEs."""

    promoted: Counter[str]
    log_ratio: float


def trial(cell: Cell, number: int, limits: Gate) -> Trial:
    """Return one trial. Of several challengers the one with the lowest error in cross-validation is judged."""
    generator = np.random.default_rng([SEED, cell.rows, number])
    champion, challengers = cell.recipes(generator)
    matrix, expected = cell.table(generator, cell.rows + FRESH)
    target = expected + generator.standard_normal(len(expected))
    test, train = np.arange(cell.rows // 5), np.arange(cell.rows // 5, cell.rows)
    x, y = matrix[train], target[train]
    searched = [_folds(generator, len(train), 5)]
    errors = [_errors(each, x, y, searched).mean() for each in challengers] if len(challengers) > 1 else [0.0]
    pair = [champion, challengers[int(np.argmin(errors))]]
    repeats = repeated_cv.REPEATS if len(train) <= repeated_cv.FEW else 1
    repetitions = [_folds(generator, len(train), repeated_cv.FOLDS) for _ in range(repeats)]
    squared = np.column_stack([_errors(each, x, y, repetitions) for each in pair])
    fitted = [each.estimator(0).fit(x[:, each.columns], y) for each in pair]
    current, new = [model.predict(matrix[:, each.columns]) for model, each in zip(fitted, pair, strict=True)]
    promoted: Counter[str] = Counter()
    for policy in POLICIES:
        rule = msgspec.structs.replace(limits, policy=policy)
        for evidence in ("test", "all"):
            for direction, order in (("forth", [0, 1]), ("back", [1, 0])):
                refitted = OutOfFold(squared[:, order], (1, len(challengers))) if evidence == "all" else None
                before, after = (current, new) if direction == "forth" else (new, current)
                verdict = decide(before[test], after[test], target[test], rule, refitted=refitted).verdict
                promoted[f"{direction} {evidence} {policy}"] = int(verdict == "promote")
    risks = [np.square(each - expected)[cell.rows :].mean() + 1 for each in (current, new)]
    return Trial(promoted, float(np.log(risks[1] / risks[0]) / 2))


def run(cell: Cell, limits: Gate, trials: int) -> dict[str, Any]:
    """Return the counts of a cell, and the mean change of the true RMSE."""
    work = (joblib.delayed(trial)(cell, number, limits) for number in range(trials))
    done = joblib.Parallel(-1, return_as="generator_unordered")(work)
    promoted: Counter[str] = Counter()
    logs = []
    for each in tqdm(done, desc=cell.name, total=trials, disable=None):
        promoted.update(each.promoted)
        logs.append(each.log_ratio)
    return {"rows": cell.rows, "trials": trials, "change": round(float(np.expm1(np.mean(logs))), 4), **promoted}


def _folds(generator: np.random.Generator, rows: int, folds: int) -> list[Split]:
    fold = generator.permutation(rows) % folds
    return [(np.flatnonzero(fold != each), np.flatnonzero(fold == each)) for each in range(folds)]


def _errors(recipe: Recipe, x: np.ndarray, y: np.ndarray, repetitions: list[list[Split]]) -> np.ndarray:
    estimators = [recipe.estimator(seed) for seed in range(1, len(repetitions) + 1)]
    return repeated_cv.squared_errors(estimators, x[:, recipe.columns], y, repetitions)


def lines(limits: Gate) -> Iterator[str]:
    """Return the table in Markdown, of the kept counts; cells that are not kept are run."""
    found = json.loads(PATH.read_text()) if PATH.exists() else {}
    for cell in CELLS:
        if cell.name not in found:
            found[cell.name] = run(cell, limits, cell.trials)
            PATH.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    columns = ("test, superior", "all, superior", "test, probably better", "all, probably better")
    yield f"| models | rows | trials | true change | {' | '.join(columns)} |"
    yield "|---|---|---|---|---|---|---|---|"
    for cell in CELLS:
        for direction in ("forth", "back"):
            counts = found[cell.name]
            if direction == "back" and "best of" in cell.name:
                continue  # the champion was chosen from nothing
            change = counts["change"] if direction == "forth" else 1 / (1 + counts["change"]) - 1
            shares = [
                share(counts[f"{direction} {evidence} {policy}"], counts["trials"])
                for policy in POLICIES
                for evidence in ("test", "all")
            ]
            label = cell.name if direction == "forth" else "the other way round"
            yield f"| {label} | {cell.rows:,} | {counts['trials']:,} | {change:+.1%} | {' | '.join(map(str, shares))} |"
