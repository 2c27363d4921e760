"""What a part of the raw table adds to the counts of the whole."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from stages import rows
from stages.schema import Schema

EXAMPLES = 3  # rejected rows of each column that are shown


class Example(NamedTuple):
    row: int
    value: str
    reason: str


@dataclass(frozen=True)
class Tally:
    """`rows` in; usable rows by `folds`; rejected ones by `reasons` (of `stages.cells`) and by column (`rejected`; with
    `commas` in the place of decimal points); the first of them as `examples`; `missing` cells of usable rows; `values`
    of each bool and category feature among the training rows."""

    rows: int
    folds: Counter[int]
    reasons: Counter[str]
    rejected: Counter[str]
    commas: Counter[str]
    examples: dict[str, list[Example]]
    missing: Counter[str]
    values: dict[str, Counter[Any]]

    @property
    def usable(self) -> int:
        return self.rows - self.reasons.total()

    def __add__(self, later: "Tally") -> "Tally":
        """Of this part and one of later rows."""
        names = [*self.examples, *(name for name in later.examples if name not in self.examples)]
        examples = {name: [*self.examples.get(name, []), *later.examples.get(name, [])][:EXAMPLES] for name in names}
        return Tally(
            self.rows + later.rows,
            self.folds + later.folds,
            self.reasons + later.reasons,
            self.rejected + later.rejected,
            self.commas + later.commas,
            examples,
            self.missing + later.missing,
            {name: counts + later.values[name] for name, counts in self.values.items()},
        )


def of(table: pd.DataFrame, problems: pd.DataFrame, schema: Schema) -> Tally:
    """Of one part: its usable rows (without `fold`: not yet split) and the `problems` that `stages.cells` lists."""
    commas = problems[problems["value"].map(lambda text: bool(re.fullmatch(r"-?\d+,\d+", text.strip()))).astype(bool)]
    firsts = problems.groupby("column", sort=False).head(EXAMPLES)
    examples: dict[str, list[Example]] = {name: [] for name in firsts["column"]}
    for line in firsts.itertuples():
        examples[line.column].append(Example(int(line.row), line.value, line.reason))
    folds = table["fold"] if "fold" in table else pd.Series([], dtype=int)
    training = table[(folds != rows.TEST).to_numpy()] if "fold" in table else table
    counted = [column for column in schema.features if column.dtype in ("bool", "category")]
    return Tally(
        rows=len(table) + len(problems),
        folds=Counter(folds.value_counts().to_dict()),
        reasons=Counter(problems["reason"].value_counts().to_dict()),
        rejected=Counter(problems["column"].value_counts().to_dict()),
        commas=Counter(commas["column"].value_counts().to_dict()),
        examples=examples,
        missing=Counter({column.name: int(table[column.name].isna().sum()) for column in schema.used}),
        values={c.name: Counter(training[c.name].value_counts().to_dict()) for c in counted},
    )
