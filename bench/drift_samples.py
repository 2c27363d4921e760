"""Seeded pairs of reference and live rows out of the real table, without and with a drift of known size."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

SEED = 11
TARGET = "MEDV"
REFERENCE_ROWS = 10_000  # as the pipeline keeps at most
# Live rows, and how many trials of each; up to 200 both sides are disjoint parts of the table, above both are drawn
# with replacement from all of it.
TRIALS = {50: 2_500, 100: 2_500, 200: 2_500, 1_000: 2_500, 10_000: 1_000, 100_000: 400}
LARGEST_PART = 200
POWER_ROWS, POWER_TRIALS = 200, 500
MISSING = (0.05, 0.15)

Pair = tuple[pd.DataFrame, pd.DataFrame]
Change = Callable[[pd.DataFrame, pd.DataFrame, str, np.random.Generator], Pair]


def table() -> pd.DataFrame:
    return pd.read_csv(Path("data/raw/housing.csv"))


def unchanged(table: pd.DataFrame, rows: int, trial: int) -> Pair:
    """Reference and live rows from the same source."""
    generator = np.random.default_rng([SEED, rows, trial])
    if rows <= LARGEST_PART:
        order = generator.permutation(len(table))
        live, reference = order[:rows], order[rows:]
    else:
        live = generator.integers(0, len(table), rows)
        reference = generator.integers(0, len(table), min(rows, REFERENCE_ROWS))
    return tuple(table.iloc[rows].reset_index(drop=True) for rows in (reference, live))  # type: ignore[return-value]


def changed(table: pd.DataFrame, scenario: str, trials: int = POWER_TRIALS) -> Iterator[tuple[str, Pair]]:
    """For each trial the feature that changes, each in turn, and 306 reference against 200 live rows.

    CHAS, which has two values, changes in no scenario.
    """
    features = [name for name in table if name not in ("CHAS", TARGET)]
    for trial in range(trials):
        feature = features[trial % len(features)]
        generator = np.random.default_rng([SEED, list(SCENARIOS).index(scenario), trial])
        yield feature, SCENARIOS[scenario](*unchanged(table, POWER_ROWS, trial), feature, generator)


def _mean(size: float) -> Change:
    def change(reference: pd.DataFrame, live: pd.DataFrame, name: str, generator: np.random.Generator) -> Pair:
        return reference, live.assign(**{name: live[name] + size * _spread(reference, live, name)})

    return change


def _scale(reference: pd.DataFrame, live: pd.DataFrame, name: str, generator: np.random.Generator) -> Pair:
    centre = live[name].mean()
    return reference, live.assign(**{name: centre + 1.5 * (live[name] - centre)})


def _missing(reference: pd.DataFrame, live: pd.DataFrame, name: str, generator: np.random.Generator) -> Pair:
    sides = [
        side.assign(**{name: side[name].where(generator.random(len(side)) >= share)})
        for side, share in zip((reference, live), MISSING, strict=True)
    ]
    return sides[0], sides[1]


def _permuted(reference: pd.DataFrame, live: pd.DataFrame, name: str, generator: np.random.Generator) -> Pair:
    return reference, live.assign(**{name: generator.permutation(live[name].to_numpy())})


def _beyond(reference: pd.DataFrame, live: pd.DataFrame, name: str, generator: np.random.Generator) -> Pair:
    return reference, live.assign(**{name: reference[name].max() + generator.random(len(live))})


def _spread(reference: pd.DataFrame, live: pd.DataFrame, name: str) -> float:
    return float(pd.concat([reference[name], live[name]]).std())


SCENARIOS: dict[str, Change] = {
    "mean + 0.5 sigma": _mean(0.5),
    "mean + 1 sigma": _mean(1.0),
    "scale x 1.5": _scale,
    "missing 5 % to 15 %": _missing,
    "permuted against the rest": _permuted,
    "all beyond the maximum": _beyond,
}
