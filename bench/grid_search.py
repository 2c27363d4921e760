"""The peer of `train`: plain GridSearchCV(n_jobs=-1), family after family in one process, on the same folds.

    python -m bench.grid_search [--defaults]

With --defaults XGBoost has its own number of bins, 256, in place of the grid's. Prints the chosen settings as JSON.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import GridSearchCV, PredefinedSplit

from pipeline.contract import params, schema
from pipeline.tables import parquet
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training import families


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--defaults", action="store_true")
    unnamed = {"max_bin"} if parser.parse_args().defaults else set()
    settings, columns = params.load(params.Train), schema.load()
    training = parquet.read(Path("data/clean/train.parquet"))
    matrix = to_matrix(training, columns.features)
    target = training[columns.target.name].to_numpy(float)
    folds = PredefinedSplit(training["fold"])
    sizes = np.unique(training["fold"], return_counts=True)[1]

    def lowest(results: dict[str, Any]) -> int:
        """By the error over all rows together: its own choice would give each fold the same weight."""
        return int(np.argmax(sum(size * results[f"split{fold}_test_score"] for fold, size in enumerate(sizes))))

    chosen = {}
    for family, grid in settings.families.items():
        pipeline = families.numeric_pipeline(columns, family, settings.seed, {})
        named = {f"model__regressor__{name}": values for name, values in grid.items() if name not in unnamed}
        search = GridSearchCV(pipeline, named, cv=folds, scoring="neg_mean_squared_error", n_jobs=-1, refit=lowest)
        search.fit(matrix, target)
        chosen[family] = {name.removeprefix("model__regressor__"): value for name, value in search.best_params_.items()}
    print(json.dumps(chosen))


if __name__ == "__main__":
    main()
