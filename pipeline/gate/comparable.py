"""The check that a champion can be judged on today's test rows, and the way out where it cannot."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.contract import params, paths, schema
from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Features
from pipeline.contract.schema import Schema
from pipeline.registry import git

RECORD = " ".join(path.as_posix() for path in (paths.CHAMPION_RECORD, paths.CHAMPION, paths.HISTORY))
START_ANEW = (
    f"the table in this workspace is another one. To begin with a first model of it, run `rm -f {RECORD}`, commit, and "
    "run `make gate` again (docs/bring-your-own-data.md)"
)


def schema_at(commit: str) -> Schema | None:
    """Return the schema that models of a commit are trained with; None where today's code cannot read it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in (paths.SCHEMA, paths.PARAMS):
            (folder / path.name).write_text(git.show(commit, path) or "", encoding="utf-8")
        try:
            excluded = params.load(Features, folder / paths.PARAMS.name).exclude
            return schema.load(folder / paths.SCHEMA.name).excluding(excluded)
        except PipelineError:
            return None


def check_columns(champion: Schema, name: str, table: pd.DataFrame, target: str) -> None:
    """Raise PipelineError where the champion called `name` predicts another target than today's, or needs a feature
    that today's test rows, `table`, do not have, or have with another meaning."""
    missing = [column.name for column in champion.features if column.name not in table]
    is_date = {name: pd.api.types.is_datetime64_any_dtype(kind) for name, kind in table.dtypes.items()}
    other = [c.name for c in champion.features if c.name in table and is_date[c.name] != (c.dtype == "datetime")]
    reason = ""
    if champion.target.name != target:
        reason = f"it predicts {champion.target.name}, the new model {target}"
    elif missing:
        reason = f"it needs {', '.join(missing)}, which today's rows do not have"
    elif other:
        reason = f"{', '.join(other)} is a date to one of them, and none to the other"
    if reason:
        raise PipelineError(f"could not decide: {name} cannot be compared: {reason}; {START_ANEW}")


def known_rows(champion: Schema, name: str, table: pd.DataFrame) -> np.ndarray:
    """Mark the rows [rows] whose categories the champion knows; a server would refuse the others.

    Raises PipelineError where there is none.
    """
    known = np.ones(len(table), dtype=bool)
    for column in champion.features:
        if column.dtype == "category":
            known &= (table[column.name].isin(column.categories) | table[column.name].isna()).to_numpy(bool)
    if not known.any():
        raise PipelineError(
            f"could not decide: {name} cannot be compared: every row holds a category that it does not know; where "
            "that is meant, promote with FORCE=1"
        )
    return known
