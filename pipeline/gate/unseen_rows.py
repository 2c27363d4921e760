"""Labelled live rows that neither model has learned from: as good as test rows, and the most recent ones."""

import numpy as np
import pandas as pd

from pipeline.contract import paths
from pipeline.contract.schema import Schema
from pipeline.drift import labelled_rows, live_rows
from pipeline.drift.labelled_rows import Labelled
from pipeline.tables import parquet, row_hash


def labelled(schema: Schema) -> Labelled:
    """Return the rows of data/live that have a target, and other features than each row of both splits.

    What a champion learned, it learned from data/raw, and a retrain leaves the live rows there, with a target that may
    have been corrected since. Of rows with the same prediction id the last counts, of rows with equal features one:
    they were sent or exported again, and say nothing new. Raises PipelineError where a file of data/live cannot be
    read.
    """
    live = live_rows.of_folder(paths.LIVE, schema, (labelled_rows.ID,))
    table, unusable = (rows[~rows.index.duplicated("last")] for rows in labelled_rows.labelled_rows(live, schema))
    if table.empty:
        return Labelled(table, unusable)
    names = [column.name for column in schema.features]
    parts = [part for path in (paths.TRAIN, paths.TEST) for part in parquet.parts(path)]
    known = [row_hash.hash_rows(parquet.read(part, names), schema.features) for part in parts]
    own = pd.Series(row_hash.hash_rows(table, schema.features), index=table.index)
    return Labelled(table[~own.isin(np.concatenate(known)) & ~own.duplicated()], unusable)
