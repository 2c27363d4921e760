"""Error rates and power of the gate: seeded simulations with errors of known size.

A trial is one champion and one challenger on the same rows of a fresh split. Their errors are normal, or Student's t
with 3 degrees of freedom (in rows that both find hard), with the given correlation; the challenger's are scaled.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bench import gate_fits
from bench.share import share
from pipeline.contract import params
from pipeline.contract.params import Gate
from pipeline.gate import paired_test

SEED = 20
# Trials by the rows of the test split.
TRIALS = {100: 4_000, 1_000: 2_000, 10_000: 1_000}
TAILS = ("normal", "t3")
CORRELATIONS = (0.0, 0.5, 0.9)
# The challenger's true RMSE over the champion's.
FACTORS = (1.0, 0.95, 0.9, 0.8, 1.1)
SEQUENCE, SPLITS = 20, 1_000  # challengers that one split judges, one after the other; and such splits
BATCH = 250  # trials at a time, to keep memory small


class Cell(NamedTuple):
    """The challengers that were promoted, of `trials`, by their factor."""

    n: int
    tails: str
    correlation: float
    trials: int
    promoted: dict[float, int]


def lines() -> Iterator[str]:
    """The tables in Markdown."""
    yield "| test rows | errors | correlation | equal | 5% lower RMSE | 10% lower | 20% lower | 10% higher | goal |"
    yield "|---|---|---|---|---|---|---|---|---|"
    limits = params.load(params.Gate)
    for cell in cells(limits, FACTORS):
        shares = [share(cell.promoted[factor], cell.trials) for factor in FACTORS]
        met = shares[0].value <= 0.05 and shares[0].high < 0.07
        figures = " | ".join(map(str, shares))
        goal = f"equal at most 5%, bound under 7%: {'met' if met else 'missed'}"
        yield f"| {cell.n:,} | {cell.tails} | {cell.correlation} | {figures} | {goal} |"
    yield ""
    yield f"| {SEQUENCE} equal challengers on one split of 100 rows | any promoted | goal |"
    yield "|---|---|---|"
    for worn, label in (
        (True, "each tested harder than the one before"),
        (False, "each tested as if it were the first"),
    ):
        found = share(sequences(limits, worn), SPLITS)
        goal = f"at most {limits.alpha:.0%}: {'met' if found.value <= limits.alpha else 'missed'}" if worn else ""
        yield f"| {label} | {found} | {goal} |"
    yield ""
    yield from gate_fits.lines(limits)


def cells(limits: Gate, factors: tuple[float, ...]) -> Iterator[Cell]:
    """Every combination of size, tails and correlation."""
    for n, trials in TRIALS.items():
        for tails in TAILS:
            for correlation in CORRELATIONS:
                # Scaling a model's errors scales its sums: one simulation serves every factor.
                high = np.concatenate(list(_upper_bounds(limits, n, tails, correlation, trials // BATCH)))
                below = 1 - limits.min_improvement
                yield Cell(n, tails, correlation, trials, {f: int((f * (1 + high) < below).sum()) for f in factors})


def _upper_bounds(limits: Gate, n: int, tails: str, correlation: float, batches: int) -> Iterator[np.ndarray]:
    """Yield the bounds of the change of RMSE between equal models [trials], on a split that has judged none before."""
    generator = np.random.default_rng([SEED, n, TAILS.index(tails), round(100 * correlation)])
    alpha = paired_test.spent(limits.alpha, 0)
    for _ in range(batches):
        squared = np.square(_errors(generator, n, tails, correlation, 2))
        sums = paired_test.half_sums(squared.reshape(n, -1), limits.samples, limits.seed).reshape(-1, BATCH, 2)
        yield np.array([paired_test.bounds(sums[:, k, 1] / sums[:, k, 0], alpha)[1] for k in range(BATCH)])


def _errors(generator: np.random.Generator, n: int, tails: str, correlation: float, models: int) -> np.ndarray:
    """[rows, trials, models]: each pair of models has this correlation."""
    common = generator.standard_normal((n, BATCH, 1))
    own = generator.standard_normal((n, BATCH, models))
    errors = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    return errors if tails == "normal" else errors / np.sqrt(generator.chisquare(3, (n, BATCH, 1)) / 3)


def sequences(limits: Gate, worn: bool) -> int:
    """Count the splits, of SPLITS, on which any of SEQUENCE equal challengers (normal errors, correlation 0.5) is
    promoted."""
    generator, found = np.random.default_rng(SEED), 0
    for _ in range(SPLITS // BATCH):
        squared = np.square(_errors(generator, 100, "normal", 0.5, SEQUENCE + 1))
        sums = paired_test.half_sums(squared.reshape(100, -1), limits.samples, limits.seed)
        sums = sums.reshape(-1, BATCH, SEQUENCE + 1)
        ratios = sums[:, :, 1:] / sums[:, :, :1]
        found += sum(
            any(
                paired_test.bounds(ratios[:, k, place], paired_test.spent(limits.alpha, worn * place))[1] < 0
                for place in range(SEQUENCE)
            )
            for k in range(BATCH)
        )
    return found
