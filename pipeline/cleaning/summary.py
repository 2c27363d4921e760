"""Counts of a cleaned table; the counts of its parts add up to those of the whole."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.contract.schema import Schema
from pipeline.contract.wording import titles
from pipeline.tables import cell_parser, distinct_rows, splitting

EXAMPLES = 3  # rejected rows of each column and reason that are shown


@dataclass(frozen=True)
class Summary:
    """Counts of one part or of the whole table.

    `rows`: all; `missing`: missing cells of usable rows by column; `reasons`, `rejected`: rejected rows by reason and
    by column; `examples`: the first rejected rows of each column; `folds`: usable rows by fold, once they have one;
    `moments`: until then, the results of `splitting.moments` for the parts; `distinct`: of
    `distinct_rows.distinct`, once rows have a fold.
    """

    rows: int
    missing: Counter[str]
    reasons: Counter[str]
    rejected: Counter[str]
    examples: pd.DataFrame
    folds: Counter[int]
    moments: tuple[pd.DataFrame, ...]
    distinct: frozenset[int]

    @property
    def usable(self) -> int:
        return self.rows - self.reasons.total()

    @property
    def without_target(self) -> int:
        """The rows without a target: they are not predicted from, and no accident of the table."""
        return self.reasons["missing_target"]

    @property
    def counts(self) -> dict[str, int]:
        """Totals for metrics/clean.json."""
        test = self.folds[splitting.TEST]
        return {
            "rows_in": self.rows,
            "rows_train": self.usable - test,
            "rows_test": test,
            "rejected": self.reasons.total(),
            **{f"rejected_{reason}": self.reasons[reason] for reason in cell_parser.REASONS},
        }

    @property
    def warning(self) -> str:
        """A warning about the table as a whole, or an empty text."""
        return distinct_rows.warning(len(self.distinct), self.usable)

    def __add__(self, later: "Summary") -> "Summary":
        """Return the summary of both parts; the rows of `later` follow."""
        return Summary(
            self.rows + later.rows,
            self.missing + later.missing,
            self.reasons + later.reasons,
            self.rejected + later.rejected,
            _firsts(pd.concat([self.examples, later.examples], ignore_index=True)),
            self.folds + later.folds,
            self.moments + later.moments,
            distinct_rows.merged(self.distinct, later.distinct),
        )


def summarise(table: pd.DataFrame, rejected: pd.DataFrame, schema: Schema) -> Summary:
    """Count one part: its usable rows (`table`, with or without its column `fold`) and its rejected rows."""
    has_folds = "fold" in table
    return Summary(
        rows=len(table) + len(rejected),
        missing=Counter({column.name: int(table[column.name].isna().sum()) for column in schema.used}),
        reasons=Counter(rejected["reason"].value_counts().to_dict()),
        rejected=Counter(rejected["column"].value_counts().to_dict()),
        examples=_firsts(rejected[["row", "column", "reason", "value"]]),
        folds=Counter(table["fold"].value_counts().to_dict()) if has_folds else Counter(),
        moments=() if has_folds else (splitting.moments(table, schema),),
        distinct=distinct_rows.distinct(table, schema) if has_folds else frozenset(),
    )


def report(summary: Summary, schema: Schema, names: list[str]) -> dict[str, Any]:
    """Return the content of data/clean/report.json: missing cells of usable rows and rejected rows by column, and those
    of the raw table's columns (`names`) that the schema does not have."""
    used, known = [column.name for column in schema.used], {column.name for column in schema.columns}
    columns = {name: {"missing": summary.missing[name], "rejected": summary.rejected[name]} for name in used}
    extra = [title for name, title in zip(names, titles(names), strict=True) if name not in known]
    return {"columns": columns, "extra_columns": extra}


def _firsts(rejected: pd.DataFrame) -> pd.DataFrame:
    return rejected.groupby(["column", "reason"], sort=False).head(EXAMPLES)
