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
    """Make the fits that the stage makes of the one setting of the grid, on all cores: of each fold without and with
    missing indicators, and one of all rows; on columns that are prepared once, for all folds."""
    import numpy as np
    import xgboost

    from pipeline.contract import params, schema
    from pipeline.tables import parquet
    from pipeline.tables.feature_matrix import to_matrix

    columns, training = schema.load(), parquet.read(Path("data/clean/train.parquet"))
    matrix, target = to_matrix(training, columns.features), training[columns.target.name].to_numpy(float)
    fold, missing = training["fold"].to_numpy(), np.isnan(matrix)
    plain = np.nan_to_num(matrix).astype(np.float32)
    told = np.column_stack([plain, missing[:, missing.any(axis=0)]]).astype(np.float32)
    settings = {name: values[0] for name, values in params.load(params.Train).families["xgboost"].items()}
    fits = [(prepared, held) for prepared in (plain, told) for held in np.unique(fold)]
    for prepared, held in [*fits, (told, None)]:
        model = xgboost.XGBRegressor(**settings, n_jobs=-1).fit(prepared[fold != held], target[fold != held])
        if held is not None:
            model.predict(prepared[fold == held])


if __name__ == "__main__":
    {"csv": csv, "xgboost": fits}[sys.argv[1]]()
