"""What the stages are measured against: `python -m bench.scale_floor csv` or `xgboost`, in a project that is cleaned.

Each imports what it needs and no more, for the start counts as well.
"""

import sys
from pathlib import Path


def csv() -> None:
    """Read the raw CSV with all cores and guessed types, and write it as Parquet."""
    import pyarrow.csv
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.csv.read_csv("data/raw/table.csv"), "floor.parquet")


def fits() -> None:
    """Fit the one setting of xgboost's grid for each fold and once for all, on all cores."""
    import numpy as np
    import xgboost

    from stages import params, schema, tables
    from stages.matrix import to_matrix

    columns, training = schema.load(), tables.read(Path("data/clean/train.parquet"))
    matrix, target = to_matrix(training, columns.features), training[columns.target.name].to_numpy(float)
    fold = training["fold"].to_numpy()
    settings = {name: values[0] for name, values in params.load("train").families["xgboost"].items()}
    for held in [*np.unique(fold), None]:
        model = xgboost.XGBRegressor(**settings, n_jobs=-1).fit(matrix[fold != held], target[fold != held])
        if held is not None:
            model.predict(matrix[fold == held])


if __name__ == "__main__":
    {"csv": csv, "xgboost": fits}[sys.argv[1]]()
