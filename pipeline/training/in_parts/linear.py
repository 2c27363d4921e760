"""Linear and ridge regression on a training table in parts: one pass sums products of columns, the rest is algebra."""

from functools import cached_property, partial

import numpy as np
from sklearn.pipeline import Pipeline

from pipeline.contract.errors import PipelineError
from pipeline.training import linear_models, preprocessing
from pipeline.training.cross_validation import Hyperparameters
from pipeline.training.in_parts import least_squares
from pipeline.training.in_parts.column_statistics import training_folds
from pipeline.training.in_parts.learner import Learner, PartRows
from pipeline.training.in_parts.least_squares import Layout


class Linear(Learner):
    """Pipelines that end in LinearRegression or Ridge."""

    def fit(self, settings: Hyperparameters, indicators: tuple[int, ...], number: int) -> Pipeline:
        if other := sorted(settings.keys() - {"alpha"}):
            raise PipelineError(
                f"params.yaml: train.families: {other[0]!r} of a linear model needs the rows in memory: leave it out, "
                "or raise engine.in_memory_rows"
            )
        pipeline = self.set_up(settings, indicators)
        folds, imputed = training_folds(self.statistics.splits)[number], self.statistics.imputed[number]
        summed = np.sum([self._by_fold[fold] for fold in folds.tolist() if fold in self._by_fold], axis=0)
        products = least_squares.impute(self._layout, summed, imputed)
        mean, variance, attributes = least_squares.solve(
            self._layout, products, indicators, float(settings.get("alpha", 0))
        )
        preprocessing.teach(pipeline[0], imputed, mean, variance)
        model = pipeline[-1].regressor_
        for name in attributes.keys() & vars(model):  # Ridge has fewer
            setattr(model, name, attributes[name])
        linear_models.round_fit(model)
        return pipeline

    @cached_property
    def _layout(self) -> Layout:
        return least_squares.layout(self.parts.schema.features, self.statistics)

    @cached_property
    def _by_fold(self) -> dict[int, np.ndarray]:
        """The products [width, width] of the columns, summed over the rows of each fold."""
        sums = self.parts.reading(partial(_sums, layout=self._layout))
        return self.parts.run.fold(sums, self.parts.files, _add)


def _sums(rows: PartRows, layout: Layout) -> dict[int, np.ndarray]:
    values = least_squares.design(layout, rows.matrix, rows.target)
    return {int(fold): (mine := values[rows.fold == fold]).T @ mine for fold in np.unique(rows.fold)}


def _add(some: dict[int, np.ndarray], more: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    return {**some, **{fold: some[fold] + products if fold in some else products for fold, products in more.items()}}
