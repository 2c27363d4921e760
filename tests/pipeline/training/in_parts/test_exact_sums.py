"""Sums and medians over parts: what the whole table gives, to the last bit, however it is cut."""

import math
from fractions import Fraction
from functools import reduce

import numpy as np
import pytest

from pipeline.distributed import medians
from pipeline.training.in_parts import exact_sums


def cut(n: int, parts: int, seed: int = 0) -> list[np.ndarray]:
    """The rows 0 to n - 1 in any order, in parts of any size."""
    generator = np.random.default_rng(seed)
    edges = np.sort(generator.integers(0, n + 1, parts - 1))
    return np.split(generator.permutation(n), edges)


@pytest.mark.parametrize("parts", [1, 3, 7])
def test_a_total_is_exact(parts: int) -> None:
    """Totals of parts add up to the sum that exact arithmetic gives, over values of every size."""
    values = np.random.default_rng(1).normal(size=1000) * 10.0 ** np.random.default_rng(2).integers(-300, 300, 1000)
    values[:3] = 0, 5e-324, -1.7e308
    summed = sum(exact_sums.total(values[rows]) for rows in cut(1000, parts))
    assert Fraction(summed, 1 << exact_sums.UNIT) == sum(map(Fraction, values.tolist()))
    assert exact_sums.value(summed) == math.fsum(values)


@pytest.mark.parametrize("parts", [1, 3, 7])
def test_products_are_exact(parts: int) -> None:
    """Products of parts add up to what whole numbers of any size give, at the ends of the grid too."""
    generator = np.random.default_rng(3)
    end = 1 << exact_sums.GRID
    grid = generator.integers(-end, end, (20_000, 4), endpoint=True)
    grid[:, 3] = generator.choice([-end, end, end - 1, 0], 20_000)
    grid[:, 0] = end
    summed = sum(exact_sums.products(grid[rows]) for rows in cut(len(grid), parts))
    whole = grid.astype(object)
    assert np.array_equal(exact_sums.whole(summed), whole.T @ whole)


@pytest.mark.parametrize(("parts", "few", "passes_needed"), [(1, 2**17, 2), (3, 2**17, 2), (7, 0, 4), (3, 100, 4)])
def test_medians_are_those_of_the_whole_table(
    parts: int, few: int, passes_needed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Medians over any sets of groups equal NumPy's to the last bit: ties, missing values, either sign, few rows; in
    two passes, or in four where many values are alike."""
    generator = np.random.default_rng(4)
    n = 2001
    values = np.column_stack(
        [
            generator.normal(size=n),
            generator.integers(-2, 3, n).astype(float),
            generator.lognormal(0, 50, n) * generator.choice([-1, 1], n),
            np.full(n, np.nan),
            np.where(np.arange(n) == 7, -0.0, np.nan),
        ]
    )
    values[generator.random(n) < 0.3, 0] = np.nan
    group = generator.integers(0, 4, n)
    sets = [np.array([0, 1, 2, 3]), np.array([1, 2, 3]), np.array([2])]

    def passes(looks: list[medians.Look]) -> list[medians.Counts]:
        seen.append(looks)
        return reduce(medians.add, [medians.count(values[rows].T, group[rows], looks) for rows in cut(n, parts)])

    seen: list[list[medians.Look]] = []
    monkeypatch.setattr(medians, "_FEW", few)
    found = medians.medians(passes([medians.FIRST] * 5), passes, 4, sets)
    assert len(seen) == passes_needed
    for members, row in zip(sets, found, strict=True):
        chosen = values[np.isin(group, members)]
        wanted = [np.median(column[~np.isnan(column)]) if (~np.isnan(column)).any() else np.nan for column in chosen.T]
        assert np.array_equal(row, wanted, equal_nan=True)
