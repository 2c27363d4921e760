"""Linear and ridge regression on a training table in parts: one pass sums products of columns, the rest is algebra."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

from pipeline.contract.errors import PipelineError
from pipeline.contract.schema import Schema
from pipeline.distributed.executor import Executor
from pipeline.training import preprocessing
from pipeline.training.cross_validation import Hyperparameters
from pipeline.training.in_parts import least_squares, partition_rows
from pipeline.training.in_parts.column_statistics import TableStatistics
from pipeline.training.in_parts.least_squares import Layout


class Linear:
    """`make(settings, indicators)` makes an unfitted numeric pipeline that ends in LinearRegression or Ridge."""

    def __init__(
        self,
        run: Executor,
        parts: list[Path],
        schema: Schema,
        statistics: TableStatistics,
        make: Callable[[Hyperparameters, tuple[int, ...]], Pipeline],
    ) -> None:
        self.statistics, self.make = statistics, make
        self.layout = least_squares.layout(schema.features, statistics)
        self.by_fold = run.fold(partial(_sums, schema=schema, layout=self.layout), parts, _add)

    def fit(self, tried: list[Hyperparameters], indicators: tuple[int, ...], number: int) -> list[Pipeline]:
        """Fit each of the settings to the rows that split `number` trains on, or after the last split to all rows.

        Raises PipelineError for a setting that the sums cannot follow.
        """
        folds, imputed = self.statistics.training_folds[number], self.statistics.imputed[number]
        empty = np.zeros((self.layout.width, self.layout.width))
        summed = sum((self.by_fold.get(int(fold), empty) for fold in folds), empty)
        products = least_squares.impute(self.layout, summed, imputed)
        blank = np.zeros((2, len(self.layout.columns)))
        pipelines = []
        for settings in tried:
            solved = least_squares.solve(self.layout, products, indicators, _alpha(settings))
            # A fit to two blank rows checks the settings and sets up what does not depend on the rows.
            pipeline = self.make(settings, indicators).fit(blank, np.zeros(2))
            preprocessing.teach(pipeline[0], imputed, solved.mean, solved.variance)
            model = pipeline[-1]
            model.coef_, model.intercept_ = solved.coef, solved.intercept
            if hasattr(model, "singular_"):
                model.rank_, model.singular_ = solved.rank, solved.singular
            pipelines.append(pipeline)
        return pipelines


def _sums(part: Path, schema: Schema, layout: Layout) -> dict[int, np.ndarray]:
    """Return the products [width, width] of the columns, summed over a part's rows of each fold."""
    rows = partition_rows.read(part, schema)
    values = least_squares.design(layout, rows.matrix, rows.target)
    found = {}
    for fold in np.unique(rows.fold):
        mine = values[rows.fold == fold]
        found[int(fold)] = mine.T @ mine
    return found


def _add(some: dict[int, np.ndarray], more: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    return {**some, **{fold: some[fold] + products if fold in some else products for fold, products in more.items()}}


def _alpha(settings: Hyperparameters) -> float:
    if other := sorted(set(settings) - {"alpha"}):
        raise PipelineError(
            f"params.yaml: train.families: {other[0]!r} of a linear model needs the rows in memory: leave it out, or "
            "raise engine.in_memory_rows"
        )
    return float(settings.get("alpha", 0.0))
