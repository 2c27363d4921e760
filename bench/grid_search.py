"""The peer of `train`: plain GridSearchCV(n_jobs=-1), family after family in one process, on the same folds.

Prints the chosen settings as JSON.
"""

import json
from pathlib import Path

from sklearn.model_selection import GridSearchCV, PredefinedSplit

from stages import families, params, schema, tables
from stages.matrix import to_matrix


def main() -> None:
    settings, columns = params.load("train"), schema.load()
    training = tables.read(Path("data/clean/train.parquet"))
    matrix = to_matrix(training, columns.features)
    target = training[columns.target.name].to_numpy(float)
    folds = PredefinedSplit(training["fold"])
    chosen = {}
    for family, grid in settings.families.items():
        pipeline = families.numeric_pipeline(columns.features, family, settings.seed, {})
        named = {f"model__{name}": values for name, values in grid.items()}
        search = GridSearchCV(pipeline, named, cv=folds, scoring="neg_mean_squared_error", n_jobs=-1)
        search.fit(matrix, target)
        chosen[family] = {name.removeprefix("model__"): value for name, value in search.best_params_.items()}
    print(json.dumps(chosen))


if __name__ == "__main__":
    main()
