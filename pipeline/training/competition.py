"""A competition of a family's settings: their errors in cross-validation, under one progress bar."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np
from tqdm import tqdm

from pipeline.contract.params import Train
from pipeline.contract.schema import Schema
from pipeline.distributed.executor import Executor
from pipeline.tables import digits
from pipeline.training import families, shared_trees
from pipeline.training.cross_validation import Hyperparameters, Rows, cross_validate


@dataclass
class Competition:
    """Cross-validation of settings of one family; those that lose because an error is not finite are `diverged`."""

    schema: Schema
    params: Train
    family: str
    run: Executor
    bar: tqdm
    diverged: list[Hyperparameters] = field(default_factory=list)

    def __call__(
        self,
        rows: Rows,
        settings: list[Hyperparameters],
        indicators: tuple[int, ...] = (),
        trees: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return out-of-fold predictions [settings, rows], and mean squared errors [settings], infinite for diverged
        ones. `trees`: at most so many.
        """
        self.bar.set_postfix_str(f"{len(settings)} settings on {len(rows.target)} rows")
        tried = [{**shared_trees.begun(each, trees), **self.bounds(rows)} for each in settings]
        seed, device = self.params.seed, self.params.device
        make = partial(families.numeric_pipeline, self.schema, self.family, seed, indicators=indicators, device=device)
        sharing = families.get(self.family).sharing
        predictions = cross_validate(tried, make, sharing, rows, self.family, self.run, self.bar)
        predictions = digits.rounded(predictions, rows.target.std())
        errors = rows.squared_errors(predictions).mean(axis=-1)
        finite = np.isfinite(errors)
        self.diverged += [settings[each] for each in np.flatnonzero(~finite)]
        return predictions, np.where(finite, errors, np.inf)

    def bounds(self, rows: Rows) -> Hyperparameters:
        """Return the settings that keep a model of so many rows within its limits."""
        kind, grid = families.get(self.family), self.params.families[self.family]
        return kind.bounds(grid, len(rows.target), self.params.max_leaves, self.params.search_rows)


def progress_bar(family: str) -> tqdm:
    """Return a bar whose steps are the competitions: those with few trees, the last, indicators, and all rows and
    folds."""
    form = "{desc}: {percentage:3.0f}%|{bar}| {postfix} [{elapsed}<{remaining}]"
    return tqdm(desc=family, total=len(families.get(family).rungs) + 4, bar_format=form, disable=None)
