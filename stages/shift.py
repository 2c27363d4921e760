"""Tests of drift: has a feature's distribution, or its share of missing values, changed?"""

import numpy as np
from scipy import stats


def numbers(reference: np.ndarray, live: np.ndarray) -> tuple[float, float]:
    """Two-sample Kolmogorov-Smirnov: (largest distance of the distribution functions, p-value).

    Values without NaN, at least one on each side. Ties make the p-value larger, never smaller (Conover 1999, 6.3).
    """
    result = stats.ks_2samp(reference, live)
    return float(result.statistic), float(result.pvalue)


def categories(reference: np.ndarray, live: np.ndarray, count: int) -> tuple[float, float]:
    """Chi-square of homogeneity on codes 0 to `count` - 1: (Cramer's V, p-value).

    With few rows the p-value is by permutation of the rows between the sides (seeded), for the chi-square
    approximation wants five expected rows in a cell (Cochran 1954).
    """
    observed = np.array([np.bincount(side.astype(int), minlength=count) for side in (reference, live)])
    observed = observed[:, observed.sum(axis=0) > 0]
    if observed.shape[1] < 2:
        return 0.0, 1.0
    if observed.shape[1] == 2:
        effect = abs(observed[0, 1] / observed[0].sum() - observed[1, 1] / observed[1].sum())
        return float(effect), float(stats.fisher_exact(observed).pvalue)
    small = stats.contingency.expected_freq(observed).min() < 5
    method = stats.PermutationMethod(n_resamples=9999, rng=np.random.default_rng(0)) if small else None
    result = stats.chi2_contingency(observed, correction=False, method=method)
    return float(np.sqrt(result.statistic / observed.sum())), float(result.pvalue)


def rates(reference: np.ndarray, live: np.ndarray) -> tuple[float, float]:
    """Fisher's exact test on two boolean columns: (live rate minus reference rate, p-value)."""
    counts = [[int(side.sum()), int((~side).sum())] for side in (reference, live)]
    return float(live.mean() - reference.mean()), float(stats.fisher_exact(counts).pvalue)


def holm(p_values: list[float]) -> list[float]:
    """Adjusted p-values: those under alpha are false with probability at most alpha together (Holm 1979)."""
    order = np.argsort(p_values)
    scaled = np.array(p_values)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted.tolist()
