"""Two-sample tests of one feature from its counts, and Holm's correction. Each test returns (effect, p-value)."""

import numpy as np
from scipy import stats

from pipeline.drift.sketch import FeatureCounts

# Up to so many rows on the smaller and on the larger side the KS p-value is exact. Beyond, it is that of one sample of
# n m / (n + m) rows; docs/drift.md compares the two.
EXACT = (500, 20_000)
# Above this p-value the approximation will do: a few percent decide nothing, and most features are there.
UNDOUBTED = 0.3


def numbers(reference: FeatureCounts, live: FeatureCounts) -> tuple[float, float]:
    """Test numbers by Kolmogorov-Smirnov; the effect is the largest distance of the distribution functions.

    Each side needs a value. Ties make the p-value larger, never smaller (Conover 1999, 6.3).
    """
    n, m = reference.known, live.known
    # Between two reference values only the live function changes, so its distance is largest next to one of them.
    sides = (reference.less, live.less), (reference.at_most, live.at_most)
    distance = max(int(np.abs(ours * m - theirs * n).max()) for ours, theirs in sides) / (n * m)
    p = float(stats.kstwo.sf(distance, max(1, round(n * m / (n + m)))))
    if p <= UNDOUBTED and min(n, m) <= EXACT[0] and max(n, m) <= EXACT[1]:
        p = float(stats.ks_2samp(_ranks(reference), _ranks(live), method="exact").pvalue)
    return distance, p


def _ranks(counts: FeatureCounts) -> np.ndarray:
    """Return numbers [values] in the order of the values: 2 k + 1 for those at anchor k, 2 k for those just below."""
    ends = np.column_stack([counts.less, counts.at_most]).ravel()
    return np.repeat(np.arange(ends.size + 1), np.diff(ends, prepend=0, append=counts.known))


def categories(reference: FeatureCounts, live: FeatureCounts) -> tuple[float, float]:
    """Test the shares of the codes; the effect is Cramer's V as if both sides had as many rows.

    Two codes take Fisher's exact test, more take chi-square. With less than five expected rows in a cell (Cochran 1954)
    it is Fisher's test of each code against the rest, with Bonferroni's correction.
    """
    observed = np.array([reference.at, live.at])
    observed = observed[:, observed.sum(axis=0) > 0]
    if observed.shape[1] < 2:
        return 0.0, 1.0
    shares = observed / observed.sum(axis=1, keepdims=True)
    # Chi-square over rows of two equal sides; with the true sizes V would fall as one side outgrows the other.
    effect = float(np.sqrt((np.square(shares[0] - shares[1]) / shares.sum(axis=0)).sum() / 2))
    if observed.shape[1] == 2:
        return effect, _fisher(observed)
    if stats.contingency.expected_freq(observed).min() >= 5:
        return effect, float(stats.chi2_contingency(observed, correction=False).pvalue)
    rest = observed.sum(axis=1, keepdims=True) - observed
    each = [_fisher(np.column_stack([observed[:, k], rest[:, k]])) for k in range(observed.shape[1])]
    return effect, min(1.0, len(each) * min(each))


def rates(reference: tuple[int, int], live: tuple[int, int], alternative: str = "two-sided") -> tuple[float, float]:
    """Test two rates, each (count, rows), by Fisher's exact test; the effect is the live rate minus the reference rate.
    `alternative` is `two-sided` or `greater` (the live rate)."""
    table = np.array([[count, rows - count] for count, rows in (live, reference)])
    return live[0] / live[1] - reference[0] / reference[1], _fisher(table, alternative)


def constant(reference: FeatureCounts, live: FeatureCounts, equal: int) -> tuple[float, float]:
    """Test live values that all equal one value, which `equal` reference values equal too; the effect is the share of
    the reference that differs.

    Fisher's test compares the counts of that value. Its p-value is multiplied by the number of values that are frequent
    enough, on both sides pooled, to fill the live side.
    """
    n, m = reference.known, live.known
    effect, p = rates((equal, n), (m, m), "greater")
    return effect, min(1.0, p * (n + m) / m)


def _fisher(table: np.ndarray, alternative: str = "two-sided") -> float:
    if not (table.sum(axis=0).all() and table.sum(axis=1).all()):
        return 1.0
    return float(stats.fisher_exact(table, alternative).pvalue)


def psi(reference: FeatureCounts, live: FeatureCounts, alpha: float) -> tuple[float, float]:
    """Return the population stability index over tenths of the reference, and the value that it exceeds with
    probability `alpha` when nothing changed. It decides nothing: no fixed limit is right at every size.

    When nothing changed, PSI is about (1/n + 1/m) times chi-square with bins - 1 degrees of freedom (Yurdakul and
    Naranjo 2020). Values beyond the reference fall into the outer bins. Half a row is added to each bin, for the
    logarithm.
    """
    n, m = reference.known, live.known
    ends = np.unique(np.searchsorted(reference.at_most, np.arange(1, 10) / 10 * n))
    cuts = [side.at_most[ends[ends < side.at_most.size - 1]] for side in (reference, live)]
    bins = [np.diff(cut, prepend=0, append=total) + 0.5 for cut, total in zip(cuts, (n, m), strict=True)]
    ours, theirs = (count / count.sum() for count in bins)
    index = float(((theirs - ours) * np.log(theirs / ours)).sum())
    return index, float((1 / n + 1 / m) * stats.chi2.isf(alpha, max(1, len(ours) - 1)))


def holm(p_values: list[float]) -> list[float]:
    """Return p-values adjusted for multiple tests: with probability 1 - alpha none below alpha is false (Holm 1979)."""
    order = np.argsort(p_values)
    scaled = np.array(p_values)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted.tolist()
