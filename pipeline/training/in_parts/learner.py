"""The way of a family to fit a training table in parts."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline

from pipeline.training import cross_validation
from pipeline.training.cross_validation import Hyperparameters
from pipeline.training.in_parts.column_statistics import TableStatistics
from pipeline.training.in_parts.training_parts import TrainingParts


@dataclass
class Learner(ABC):
    """`make(settings, indicators)` makes an unfitted numeric pipeline of the family."""

    family: str
    parts: TrainingParts
    statistics: TableStatistics
    make: Callable[[Hyperparameters, tuple[int, ...]], Pipeline]

    def set_up(self, tried: list[Hyperparameters], indicators: tuple[int, ...]) -> list[Pipeline]:
        """Return a pipeline of each settings, fitted to two blank rows: this learns what needs no rows, and raises
        PipelineError that names settings which the model refuses."""
        blank = np.zeros((2, len(self.parts.schema.features)))
        pipelines = []
        for settings in tried:
            with cross_validation.named_refusal(self.family, settings):
                pipelines.append(self.make(settings, indicators).fit(blank, np.zeros(2)))
        return pipelines

    @abstractmethod
    def fit(self, tried: list[Hyperparameters], indicators: tuple[int, ...], number: int) -> list[Pipeline]:
        """Fit each of the settings to the rows that split `number` trains on, or after the last split to all rows.

        Raises PipelineError for a setting that needs the rows in memory, and where workers keep leaving.
        """
