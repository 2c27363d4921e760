"""A share of trials with its interval."""

from typing import NamedTuple

from scipy import stats


class Share(NamedTuple):
    """A share of trials with its two-sided 95 % interval (Clopper and Pearson 1934)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%})"


def share(count: int, trials: int) -> Share:
    low, high = stats.binomtest(count, trials).proportion_ci(0.95, method="exact")
    return Share(count / trials, float(low), float(high))
