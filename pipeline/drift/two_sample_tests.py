"""Two-sample tests of one feature, from counts: its distribution, and the rates of missing and invalid cells."""

import numpy as np
from scipy import stats

from pipeline.drift.sketch import FeatureCounts

# The p-value of the KS distance is exact up to so many rows on the smaller and on the larger side. Beyond, that of one
# sample of n m / (n + m) rows stands in for it, which docs/drift.md compares with the exact one.
EXACT = (500, 20_000)
# Above this p-value a few percent more or less are no matter, and most features of most reports are there.
UNDOUBTED = 0.3


def numbers(reference: FeatureCounts, live: FeatureCounts) -> tuple[float, float]:
    """Two-sample Kolmogorov-Smirnov: (largest distance of the distribution functions, p-value).

    At least one value on each side; live values beyond the reference's count as far as they are. Ties make the
    p-value larger, never smaller (Conover 1999, 6.3).
    """
    n, m = reference.known, live.known
    gaps = [np.abs(ours * m - theirs * n) for ours, theirs in _cumulative(reference, live)]
    largest = max(int(gap.max()) for gap in gaps)
    return largest / (n * m), distance_p_value(largest, n, m)


def distance_p_value(gap: int, n: int, m: int) -> float:
    """P(D >= gap / (n m)) of the two-sample KS distance D where nothing differs and no value stands twice.

    Exact by counting the paths that stay within the gap (Hodges 1958), in the scaling of R's `psmirnov`.
    """
    few, many = sorted((n, m))
    if gap <= 0:
        return 1.0
    near = float(stats.kstwo.sf(gap / (n * m), max(1, round(n * m / (n + m)))))
    if few > EXACT[0] or many > EXACT[1] or near > UNDOUBTED:
        return near
    within = np.zeros(many + 1)
    within[: min(many, (gap - 1) // few) + 1] = 1.0
    for i in range(1, few + 1):
        low, high = max(0, (i * many - gap) // few + 1), min(many, (i * many + gap - 1) // few)
        band = np.cumsum(within[low : high + 1] * (i / (i + many)))
        within[:] = 0.0
        within[low : high + 1] = band
    # One minus a number next to one has no digits left; down there the two agree to a factor that decides nothing.
    exact = 1.0 - float(within[many])
    return exact if exact > 1e-10 else min(near, 1e-10)


def categories(reference: FeatureCounts, live: FeatureCounts) -> tuple[float, float]:
    """Test whether the shares of the codes changed: (Cramer's V as if both sides had as many rows, p-value).

    Fisher's exact test for two codes; otherwise chi-square, or where it wants more rows (five expected in each cell,
    Cochran 1954) Fisher's test of each code against the rest, Bonferroni-corrected.
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
    """Fisher's exact test of two (count, rows): (live rate minus reference rate, p-value); `greater`: in live."""
    table = np.array([[count, rows - count] for count, rows in (live, reference)])
    return live[0] / live[1] - reference[0] / reference[1], _fisher(table, alternative)


def constant(reference: FeatureCounts, live: FeatureCounts, at: int) -> tuple[float, float]:
    """Test live values that are all equal to one value, which `at` reference values equal too: (share of the reference
    that differs, p-value).

    Fisher's test of how often that value stands on each side, times the number of values that are frequent enough in
    both sides together to fill the live one.
    """
    n, m = reference.known, live.known
    change, p = rates((at, n), (m, m), "greater")
    return change, min(1.0, p * (n + m) / m)


def psi(reference: FeatureCounts, live: FeatureCounts, alpha: float) -> tuple[float, float]:
    """(Population stability index over tenths of the reference, the value that it exceeds with probability `alpha`
    when nothing changed). For show: no fixed limit is right at every size.

    Under no change PSI is about (1/n + 1/m) times chi-square with bins - 1 degrees (Yurdakul and Naranjo 2020). Values
    beyond the reference fall into the outer bins; half a row is added to each bin, for the logarithm.
    """
    n, m = reference.known, live.known
    ends = np.unique(np.searchsorted(reference.at_most, np.arange(1, 10) / 10 * n))
    cuts = [side.at_most[ends[ends < side.at_most.size - 1]] for side in (reference, live)]
    bins = [np.diff(cut, prepend=0, append=total) + 0.5 for cut, total in zip(cuts, (n, m), strict=True)]
    ours, theirs = (count / count.sum() for count in bins)
    index = float(((theirs - ours) * np.log(theirs / ours)).sum())
    return index, float((1 / n + 1 / m) * stats.chi2.isf(alpha, max(1, len(ours) - 1)))


def holm(p_values: list[float]) -> list[float]:
    """Adjusted p-values: those under alpha are false with probability at most alpha together (Holm 1979)."""
    order = np.argsort(p_values)
    scaled = np.array(p_values)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted.tolist()


def _cumulative(reference: FeatureCounts, live: FeatureCounts) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Both distribution functions, as counts, just before and at each reference value; in between only one changes."""
    return (reference.less, live.less), (reference.at_most, live.at_most)


def _fisher(table: np.ndarray, alternative: str = "two-sided") -> float:
    if not (table.sum(axis=0).all() and table.sum(axis=1).all()):
        return 1.0
    return float(stats.fisher_exact(table, alternative).pvalue)
