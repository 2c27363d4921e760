"""The product's RMSE against its peers', on the same repeated splits, and what each member of its model is worth.

Every contender learns from the training rows of a split and is judged on its test rows. The product is the model file
that the stages make; it alone has the schema of the whole table: types, bounds and categories. A difference is paired
by split; its standard error is corrected for the rows that splits share, and still a rough one: the correction is a
rule of thumb, and few splits show little of the spread.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from bench import accuracy_peers, accuracy_project, accuracy_tables
from bench.accuracy_peers import PEERS, Problem
from bench.accuracy_tables import Splits, Table
from pipeline.contract import paths
from pipeline.contract.number_text import change, figure
from pipeline.evaluation.metrics import rmse
from pipeline.tables import splitting

SPLITS = 3
PRODUCT = "this project"


class Found(NamedTuple):
    """The figures of one split: RMSE and seconds by contender, the weights of the model's members, and the RMSE of the
    model that is selected without each of them."""

    errors: dict[str, float]
    seconds: dict[str, float]
    weights: dict[str, float]
    without: dict[str, float]


def lines(count: int = SPLITS, tables: Sequence[Table] = ()) -> Iterator[str]:
    """The tables in Markdown: contenders, each line as soon as it is measured, then members."""
    yield "| table | training rows x features | model | RMSE | product against it | | seconds |"
    yield "|---" * 7 + "|"
    members = []
    for table in tables or accuracy_tables.shipped():
        splits = accuracy_tables.divide(table, count)
        found = [measure(table, *split) for split in tqdm(splits, table.name, disable=None)]
        yield from _contenders(table, splits, found)
        members += list(_members(table, splits, found))
    yield from ("", "| table | member | splits that have it | mean weight | product against one without it | |")
    yield "|---" * 6 + "|"
    yield from members


def measure(table: Table, train: np.ndarray, test: np.ndarray) -> Found:
    """Fit every contender to the training rows, and judge it on the test rows, of one split."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "project"
        accuracy_project.write(folder, table, train, test)
        seconds = {PRODUCT: _timed(accuracy_project.run, folder)[0]}
        predictions = {PRODUCT: accuracy_project.predict(folder)}
        weights, without = accuracy_project.weights(folder), {}
        for place, family in enumerate(weights):
            copy = Path(name) / f"without {place}"
            if accuracy_project.without(folder, family, copy):
                without[family] = accuracy_project.predict(copy)
        known, asked = (accuracy_project.rows(folder, path) for path in (paths.TRAIN, paths.TEST))
    features, target = table.schema.features, table.schema.target.name
    problem = Problem(
        accuracy_peers.frame(known, features),
        known[target].to_numpy(float),
        accuracy_peers.frame(asked, features),
        splitting.splits(known["fold"].to_numpy(), table.schema),
        seconds[PRODUCT],
    )
    for peer, answer in PEERS.items():
        seconds[peer], predictions[peer] = _timed(answer, problem)
    actual = asked[target].to_numpy(float)
    errors, fewer = (
        {name: rmse(actual, predicted) for name, predicted in each.items()} for each in (predictions, without)
    )
    return Found(errors, seconds, weights, fewer)


def _timed(function: Callable[[Any], Any], argument: Any) -> tuple[float, Any]:
    started = time.perf_counter()
    result = function(argument)
    return time.perf_counter() - started, result


def _contenders(table: Table, splits: Splits, found: list[Found]) -> Iterator[str]:
    ours = np.array([each.errors[PRODUCT] for each in found])
    size = f"{len(splits[-1][0])} x {len(table.schema.features)}"
    for name in found[0].errors:
        theirs = np.array([each.errors[name] for each in found])
        seconds = np.mean([each.seconds[name] for each in found])
        against = " | " if name == PRODUCT else _difference(ours, theirs, splits)
        yield f"| {table.name} | {size} | {name} | {figure(theirs.mean())} | {against} | {seconds:.0f} |"


def _members(table: Table, splits: Splits, found: list[Found]) -> Iterator[str]:
    ours = np.array([each.errors[PRODUCT] for each in found])
    for family, count in Counter(family for each in found for family in each.without).most_common():
        weight = np.mean([each.weights.get(family, 0.0) for each in found])
        fewer = np.array([each.without.get(family, each.errors[PRODUCT]) for each in found])
        against = _difference(ours, fewer, splits)
        yield f"| {table.name} | {family} | {count} of {len(splits)} | {weight:.2f} | {against} |"


def _difference(ours: np.ndarray, theirs: np.ndarray, splits: Splits) -> str:
    """The mean paired difference with its standard error, and the change as a share."""
    error = f" +- {figure(standard_error(ours - theirs, splits), 2)}" if len(splits) > 1 else ""
    return f"{figure((ours - theirs).mean())}{error} | {change(ours.mean() / theirs.mean() - 1)}"


def standard_error(differences: np.ndarray, splits: Splits) -> float:
    """Return the standard error of the mean difference of two models over at least two splits; `differences` [splits].

    Splits share training rows, so that the plain variance of a mean is too small: 1 / n becomes 1 / n + (rows held) /
    (rows trained on) (Nadeau and Bengio 2003, Inference for the Generalization Error, section 3).
    """
    shared = np.mean([len(held) / len(train) for train, held in splits])
    return float(np.sqrt((1 / len(splits) + shared) * differences.var(ddof=1)))
