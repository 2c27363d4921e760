"""Remarks on a table: its target, its names, its missing cells, and how few different rows it has."""

from collections.abc import Iterator

import pandas as pd

from pipeline.contract.schema import Schema
from pipeline.contract.wording import counted
from pipeline.profiling.column_guess import is_named_id
from pipeline.profiling.column_profile import WORDS, missing_texts
from pipeline.profiling.remarks import Remark, shown
from pipeline.tables import distinct_rows

_TIME_NAMES = ("year", "date", "timestamp")


def target_cells(values: pd.Series, problems: pd.DataFrame) -> Iterator[Remark]:
    """Yield remarks on a target column: `values` are typed, `problems` those of `cell_parser.parse`."""
    rows, end = len(values), "clean rejects their rows, and stops above clean.max_rejected_fraction"
    if missing := int(values.isna().sum()) - len(problems):
        yield Remark(f"target missing; {end}", str(values.name), f"{missing} of {rows} rows")
    if len(problems):
        examples = ", ".join(f"{shown(line.value)} in row {line.row}" for line in problems.head(3).itertuples())
        yield Remark(f"target no number; {end}", str(values.name), f"{len(problems)} of {rows} rows: {examples}")
    if values.nunique() == 1:
        yield Remark("target always the same: there is nothing to predict", str(values.name))
    if values.nunique() == 2:
        low, high = sorted(values.dropna().unique())
        topic = "target of two values: this is regression, and will predict the share of the higher one"
        yield Remark(topic, str(values.name), f"{low:g} and {high:g}")


def names(raw: pd.DataFrame, inferred: Schema) -> Iterator[Remark]:
    """Yield remarks on columns without a name, or whose name contradicts their role."""
    if "" in raw:
        topic = "left out: it has no name; pandas writes its index so, unless with index=False"
        yield Remark(topic, f"column {raw.columns.get_loc('') + 1}")
    has_time = bool(inferred.with_role("time"))
    for column in inferred.columns:
        unused = is_named_id(column.name) and column.role in ("feature", "ignore")
        if unused and raw[column.name].astype("str").nunique() < len(raw):
            topic = "named like an id, but not used as one; with role group, rows of one value stay together"
            yield Remark(topic, column.name, f"role {column.role}")
        is_measure = column.role == "feature" and column.dtype != "datetime"
        if is_measure and not has_time and column.name.lower().endswith(_TIME_NAMES):
            topic = "named like a time, but used as a feature; with role time, the latest rows are the test split"
            yield Remark(topic, column.name, column.dtype)


def missing_cells(raw: pd.DataFrame, table: pd.DataFrame, inferred: Schema) -> Iterator[Remark]:
    """Yield a remark on each feature with missing cells, and on each with NA, N/A or None as a category.

    `table` is `raw`, typed.
    """
    for column in inferred.features:
        is_missing = table[column.name].isna()
        if column.nullable:
            texts = missing_texts(raw.loc[is_missing, column.name])
            words = [f"{counted(n, 'cell')} {shown(text)} read as missing" for text, n in texts.items() if text]
            detail = "; ".join([f"{is_missing.sum():,} of {len(table):,}", *words])
            yield Remark("nullable, for cells are missing", column.name, detail)
        for word in sorted(set(column.categories) & set(WORDS)):
            topic = "a word is a category here; if it means missing, take it out of categories, and add nullable: true"
            cells = counted(int((table[column.name] == word).sum()), "cell")
            yield Remark(topic, column.name, f"{cells} {shown(word)}")


def few_rows(table: pd.DataFrame, inferred: Schema) -> Iterator[Remark]:
    """Yield a warning where a typed table has few different rows of features."""
    different = distinct_rows.distinct(table, inferred) if inferred.features else ()
    if warning := distinct_rows.warning(len(different), len(table)):
        yield Remark(warning)


def placeholders(inferred: Schema) -> Iterator[Remark]:
    """Yield remarks on what only a person can know."""
    if any(column.min is not None or column.max is not None for column in inferred.features):
        yield Remark("min and max are guesses, a quarter of the range beyond the data; rows outside are rejected")
    yield Remark("unit, description and source are yours to fill in: reports and the API show them to people")
