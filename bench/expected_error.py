"""Benchmark of the expected error: the weighted and the learned estimate against the truth, under shifts of one and two
features, and how often each says a rise, which is a false alarm where no shift changes the error.

python -m bench expected_error
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from bench.expected_error_trials import TABLES, Trial, trial
from bench.share import share
from pipeline.contract import params

SEED = 21
STRENGTHS = (1.0, 2.0, 3.0)


def cells(even: bool) -> Iterator[tuple[str, str, int, float, list[Trial]]]:
    """Yield the table, its rows, how many features shift, the strength, and the trials."""
    for place, (name, table) in enumerate(TABLES.items()):
        if table.even != even:
            continue
        for (rows, trials), shift, strength in itertools.product(table.trials.items(), table.shifts, STRENGTHS):
            seed = [SEED, place, rows[0], len(shift), int(strength)]
            found = [trial(table, rows, shift, strength, [*seed, k]) for k in range(trials)]
            yield name, f"{rows[0]:,} and {rows[1]:,}", len(shift), strength, found


def lines() -> Iterator[str]:
    """The tables in Markdown: calibration where shifts change the error, and false alarms where they do not."""
    rise = 1 + params.load(params.Drift).min_risk
    yield f"| table | reference and live rows | features | strength | trials | {COMPARED} |"
    yield "|---" * 14 + "|"
    for name, rows, features, strength, found in cells(even=False):
        yield f"| {name} | {rows} | {features} | {strength:g} | {len(found)} | {compared(found, rise)} |"
    yield ""
    yield f"| no shift changes the error | reference and live rows | trials | {COMPARED} |"
    yield "|---" * 12 + "|"
    every: list[Trial] = []
    for (name, rows), group in itertools.groupby(cells(even=True), key=lambda cell: cell[:2]):
        pooled = [each for *_, found in group for each in found]
        every += pooled
        yield f"| {name} | {rows} | {len(pooled)} | {compared(pooled, rise)} |"
    yield f"| all | | {len(every)} | {compared(every, rise)} |"


COMPARED = (
    "true ratio | weighted: said | weighted / true | covers | learned / true | covers "
    "| weighted says a rise | learned says a rise | the same, weighted not said"
)


def compared(found: Sequence[Trial], rise: float) -> str:
    """The figures of trials: how often the weighted estimate can be said; both estimates over the truth (geometric mean
    with its standard error), and how often their intervals cover it; how often their lower ends are above `rise`."""
    said, unsaid = ([each for each in found if each.said == told] for told in (True, False))
    figures = (
        f"{np.sqrt(np.mean([each.truth**2 for each in found])):.2f}",
        str(share(len(said), len(found))),
        _calibration([(each.truth, each.weighted) for each in said]),
        _calibration([(each.truth, each.learned) for each in found]),
        _risks([each.weighted for each in said], rise),
        _risks([each.learned for each in found], rise),
        _risks([each.learned for each in unsaid], rise),
    )
    return " | ".join(figures)


def _risks(estimates: list[dict[str, float]], rise: float) -> str:
    return f"{share(sum(each['low'] > rise for each in estimates), len(estimates))}" if estimates else ""


def _calibration(found: list[tuple[float, dict[str, float]]]) -> str:
    if not found:
        return " | "
    logs = np.log([estimate["ratio"] / truth for truth, estimate in found])
    covered = sum(estimate["low"] <= truth <= estimate["high"] for truth, estimate in found)
    return f"{np.exp(logs.mean()):.2f} ± {logs.std() / np.sqrt(len(logs)):.2f} | {share(covered, len(found))}"


def main() -> None:
    for line in lines():
        print(line, flush=True)


if __name__ == "__main__":
    main()
