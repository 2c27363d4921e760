"""Standardisation that takes the logarithm of skewed numbers."""

import numpy as np
import pytest

from pipeline.training.normalising import Normalise


def test_skewed_numbers_become_logarithms() -> None:
    """A column gets a logarithm where it has no negative value and a long right tail among the training rows; all have
    mean 0 and standard deviation 1 after it, to four digits, and a later value below 0 counts as 0."""
    generator = np.random.default_rng(1)
    skewed = generator.lognormal(2, 1, 1000)
    skewed[:100] = 0
    matrix = np.column_stack([skewed, skewed - 1, -skewed, 1e9 + generator.normal(size=1000), np.ones(1000)])
    learned = Normalise().fit(matrix)
    assert learned.unit_.tolist() == [np.median(skewed[100:]), 0, 0, 0, 0]
    prepared = learned.transform(matrix)
    assert prepared.mean(axis=0) == pytest.approx(0, abs=1e-4)
    assert prepared.std(axis=0) == pytest.approx([1, 1, 1, 1, 0], abs=1e-4)
    below, zero = learned.transform(np.array([[-5.0, 0, 0, 0, 0], [0.0, 0, 0, 0, 0]]))
    assert (below == zero).all()
