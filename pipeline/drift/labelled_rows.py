"""Labelled live rows become rows to learn from: a new part of the raw table.

Reads folders of live rows, data/raw and data/schema.yaml; writes data/raw/live-<hash of the ids>.parquet. Called by
ops.retrain alone, so that an export by itself retrains nothing. A row is added once, however often it is exported;
feedback that was corrected since corrects it in its part. A part has the columns of the others, and in its metadata the
id of each row.
"""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from pipeline.contract import paths
from pipeline.contract.schema import Schema
from pipeline.contract.schema import load as load_schema
from pipeline.contract.wording import counted
from pipeline.drift import live_rows
from pipeline.drift.live_rows import Live
from pipeline.tables import atomic_files, cell_parser, raw_table, row_hash

ID = "prediction_id"
TOLD_BY = "feedback_key"  # the name of the API key that gave the target
PARTS = "data/raw/live-*.parquet"
# In the metadata of a part: the ids of its rows, as a JSON list.
KEY = b"live_ids"


class Labelled(NamedTuple):
    """Live rows with a target, indexed by id. `table`: typed columns of the rows that `clean` would take. `unusable`:
    the column and the reason of the rows that it would reject."""

    table: pd.DataFrame
    unusable: pd.Series


def labelled_rows(found: Live, schema: Schema) -> Labelled:
    """Return the live rows with a target. A row's id is that of its prediction, else a hash of the row and of the
    number of equal rows before it."""
    names = [column.name for column in schema.used]
    has_ids = ID in found.columns and ID not in {column.name for column in schema.columns}
    kept, ids, problems = [], [], []
    for batch in found.batches() if schema.target.name in found.columns else ():
        typed, listed = cell_parser.parse(batch.reindex(columns=names), schema.used)
        listed = listed.set_index("row")
        labelled = typed.index.difference(listed.index[listed["reason"] == "missing_target"])
        kept.append(typed.loc[labelled])
        ids.append(batch[ID][labelled] if has_ids else pd.Series(None, index=labelled, dtype="object"))
        problems.append((listed["column"] + " " + listed["reason"]).reindex(labelled))
    if not kept:
        return Labelled(cell_parser.parse(pd.DataFrame(columns=names), schema.used)[0], pd.Series(dtype="str"))
    table, given, problem = (pd.concat(each, ignore_index=True) for each in (kept, ids, problems))
    content = pd.Series([f"{number:016x}" for number in row_hash.hash_rows(table, schema.used)], dtype="object")
    own = content + "-" + content.groupby(content).cumcount().astype("str")
    # An empty cell of a CSV is no id.
    table.index = problem.index = pd.Index(given.where(given.notna() & (given != ""), own).astype("str"), name=ID)
    return Labelled(table[problem.isna()], problem.dropna())


def unseen(table: pd.DataFrame, raw: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Drop rows that equal a raw row or an earlier live row: they were sent again. Where the raw table itself has equal
    rows, all rows stay."""
    known = row_hash.hash_rows(cell_parser.parse(raw, schema.used)[0], schema.used)
    if len(np.unique(known)) < len(known):
        return table
    own = pd.Series(row_hash.hash_rows(table, schema.used), index=table.index)
    return table[~own.isin(known) & ~own.duplicated()]


def collect(folders: list[Path]) -> str:
    """Add the labelled rows of the folders that the raw table lacks; return a line that says what was done."""
    schema = load_schema()
    live = [live_rows.of_folder(folder, schema, (ID, TOLD_BY)) for folder in folders]
    found = [labelled_rows(each, schema) for each in live]
    # Of rows with the same id the last one counts.
    table, unusable = (rows[~rows.index.duplicated("last")] for rows in map(pd.concat, zip(*found, strict=True)))
    whole, parts = raw_table.read(), _parts()
    corrected = [name for path, part in parts.items() for name in _correct(path, part, table[schema.target.name])]
    new = table.drop(index=[name for part in parts.values() for name in part.index], errors="ignore")
    new = unseen(new, whole, schema).sort_index()
    said = [f"{len(corrected)} corrected"] if corrected else []
    said += _tellers(live, [*new.index, *corrected])
    said += [f"{count} cannot be used ({why})" for why, count in unusable.value_counts().items()]
    if not len(new):
        known = f", all in {paths.RAW} already" if len(table) else ""
        return "; ".join([f"{counted(len(table), 'labelled live row')}{known}", *said])
    path = paths.RAW / f"live-{hashlib.sha256(json.dumps(list(new.index)).encode()).hexdigest()[:12]}.parquet"
    _write(path, new.reindex(columns=list(whole)))
    return "; ".join([f"{len(new)} labelled live rows are the new part {path}", *said])


def _tellers(live: list[Live], learned: list[str]) -> list[str]:
    """Return how many of the learned labels came from whom, as one text; none without labels."""
    parts = [batch[[ID, TOLD_BY]] for each in live if {ID, TOLD_BY} <= {*each.columns} for batch in each.batches()]
    told = pd.concat([pd.DataFrame(columns=[ID, TOLD_BY]), *parts]).drop_duplicates(ID, keep="last").set_index(ID)
    names = told[TOLD_BY].replace("", None).reindex(learned)
    counts = [f"{count} from {name}" for name, count in names.value_counts().items()]
    if others := int(names.isna().sum()):
        counts.append(f"{others} without a key")
    return [f"labels: {', '.join(counts)}"] if counts else []


def _correct(path: Path, part: pd.DataFrame, known: pd.Series) -> list[str]:
    """Write corrected feedback into its part; return the ids of the rows that changed."""
    target = str(known.name)
    now = known.reindex(part.index)
    changed = now.notna() & (now != part[target])
    if changed.any():
        _write(path, part.assign(**{target: now.where(changed, part[target]).astype(part[target].dtype)}))
    return list(part.index[changed])


def _parts() -> dict[Path, pd.DataFrame]:
    """Return the parts that earlier calls made, each indexed by its ids."""
    found = {}
    for path in sorted(Path().glob(PARTS)):
        if ids := (pa.parquet.read_schema(path).metadata or {}).get(KEY):
            found[path] = raw_table.read_part(path).set_axis(pd.Index(json.loads(ids), name=ID))
    return found


def _write(path: Path, table: pd.DataFrame) -> None:
    plain = table.astype({name: "string" for name in table if isinstance(table[name].dtype, pd.CategoricalDtype)})
    content = pa.Table.from_pandas(plain, preserve_index=False)
    about = {**(content.schema.metadata or {}), KEY: json.dumps(list(table.index)).encode()}
    with atomic_files.replacing(path) as partial:
        pa.parquet.write_table(content.replace_schema_metadata(about), partial)
