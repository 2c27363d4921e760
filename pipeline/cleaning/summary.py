"""Counts of a cleaned table; those of its parts add up to those of the whole."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from pipeline.contract.schema import Schema
from pipeline.tables import cell_parser, splitting

EXAMPLES = 3  # rejected rows that are shown of each column


class Example(NamedTuple):
    """A rejected cell: the number of its row, its text and the reason."""

    row: int
    value: str
    reason: str


@dataclass(frozen=True)
class Summary:
    """Counts of one part or of the whole table.

    `rows`: all; `folds`: usable rows by fold; `missing`: missing cells of usable rows by column; rejected rows by
    reason (`reasons`) and by column (`rejected`), with the first of each column (`examples`).
    """

    rows: int
    folds: Counter[int]
    reasons: Counter[str]
    rejected: Counter[str]
    examples: dict[str, list[Example]]
    missing: Counter[str]

    @property
    def usable(self) -> int:
        return self.rows - self.reasons.total()

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

    def __add__(self, later: "Summary") -> "Summary":
        """Return the summary of both; the rows of `later` follow."""
        names = [*self.examples, *(name for name in later.examples if name not in self.examples)]
        examples = {name: [*self.examples.get(name, []), *later.examples.get(name, [])][:EXAMPLES] for name in names}
        return Summary(
            self.rows + later.rows,
            self.folds + later.folds,
            self.reasons + later.reasons,
            self.rejected + later.rejected,
            examples,
            self.missing + later.missing,
        )


def summarise(table: pd.DataFrame, rejected: pd.DataFrame, schema: Schema) -> Summary:
    """Count one part: its usable rows (`table`, with or without its column `fold`) and its rejected rows."""
    firsts = rejected.groupby("column", sort=False).head(EXAMPLES)
    examples: dict[str, list[Example]] = {name: [] for name in firsts["column"]}
    for line in firsts.itertuples():
        examples[line.column].append(Example(int(line.row), line.value, line.reason))
    return Summary(
        rows=len(table) + len(rejected),
        folds=Counter(table["fold"].value_counts().to_dict()) if "fold" in table else Counter(),
        reasons=Counter(rejected["reason"].value_counts().to_dict()),
        rejected=Counter(rejected["column"].value_counts().to_dict()),
        examples=examples,
        missing=Counter({column.name: int(table[column.name].isna().sum()) for column in schema.used}),
    )


def report(summary: Summary, schema: Schema, names: list[str]) -> dict[str, Any]:
    """Return the content of data/clean/report.json: missing cells of usable rows and rejected rows by column, and those
    of the raw table's columns (`names`) that the schema does not have."""
    known = {column.name for column in schema.columns}
    columns = {
        column.name: {"missing": summary.missing[column.name], "rejected": summary.rejected[column.name]}
        for column in schema.used
    }
    return {"columns": columns, "extra_columns": [name for name in names if name not in known]}
