"""Linear and ridge regression on a training table in parts: one pass for the sums, the rest is small algebra here."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from pipeline.contract.errors import PipelineError
from pipeline.contract.schema import Schema
from pipeline.distributed.executor import Executor
from pipeline.training import preprocessing
from pipeline.training.in_parts import column_statistics, exact_sums, moments
from pipeline.training.in_parts.column_statistics import Facts
from pipeline.training.in_parts.moments import Fit, Grid

Settings = dict[str, Any]


class BySums:
    """`make(settings, indicators)` gives an unfitted numeric pipeline that ends in LinearRegression or Ridge.

    Raises PipelineError for a setting that the sums cannot follow.
    """

    def __init__(self, engine: Executor, known: Facts, make: Callable[[Settings, tuple[int, ...]], Pipeline]) -> None:
        self.known, self.make = known, make
        self.grid = moments.grid(known.schema.features, known.missing, known.low, known.high)
        summing = partial(_sums, schema=known.schema, at=self.grid)
        self.by_fold = engine.fold(summing, known.parts, "train: sums", _add)

    def squared_errors(self, tried: list[Settings], indicators: tuple[int, ...]) -> list[float]:
        """Of each settings the sum of the squared errors over all held rows."""
        errors = [0.0] * len(tried)
        for split, (train, held) in enumerate(self.known.splits):
            learned, judged = self._products(train, split), self._products(held, split)
            for place, settings in enumerate(tried):
                fit = moments.solve(self.grid, learned, indicators, _alpha(settings))
                errors[place] += moments.squared_error(self.grid, judged, fit)
        return errors

    def fits(self, settings: Settings, indicators: tuple[int, ...]) -> list[Pipeline]:
        """Fitted: one of each split, and last the one of all rows."""
        everything = np.array(sorted(self.by_fold))
        sets = [train for train, _ in self.known.splits] + [everything]
        return [self._pipeline(settings, indicators, members, place) for place, members in enumerate(sets)]

    def close(self) -> None:
        """The workers hold nothing of it."""

    def _products(self, folds: np.ndarray, split: int) -> np.ndarray:
        empty = np.zeros((3, self.grid.width, self.grid.width), dtype=np.int64)
        limbs = sum((self.by_fold[fold] for fold in folds if fold in self.by_fold), empty)
        return moments.impute(self.grid, exact_sums.whole(limbs), self.known.imputed[split])

    def _pipeline(self, settings: Settings, indicators: tuple[int, ...], folds: np.ndarray, split: int) -> Pipeline:
        products = self._products(folds, split)
        fit = moments.solve(self.grid, products, indicators, _alpha(settings))
        # Two rows of nothing, so that scikit-learn checks the settings and sets up what does not depend on the rows.
        blank = np.zeros((2, len(self.known.schema.features)))
        pipeline = self.make(settings, indicators).fit(blank, np.zeros(2))
        preprocessing.teach(pipeline[0], self.known.imputed[split], fit.mean, fit.variance)
        _teach(pipeline[-1], fit)
        return pipeline


def _sums(part: Path, schema: Schema, at: Grid) -> dict[int, np.ndarray]:
    block = column_statistics.read(part, schema)
    return moments.sums(at, block.matrix, block.target, block.fold)


def _add(some: dict[int, np.ndarray], more: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    return {**some, **{fold: some[fold] + products if fold in some else products for fold, products in more.items()}}


def _teach(model: Any, fit: Fit) -> None:
    model.coef_, model.intercept_ = fit.coef, fit.intercept
    if hasattr(model, "singular_"):
        model.rank_, model.singular_ = fit.rank, fit.singular


def _alpha(settings: Settings) -> float:
    if other := sorted(set(settings) - {"alpha"}):
        raise PipelineError(
            f"params.yaml: train.families: {other[0]!r} of a linear model needs the rows in memory: leave it out, or "
            "raise engine.in_memory_rows"
        )
    return float(settings.get("alpha", 0.0))
