"""Drift of tables whose rows are few combinations of features, by simulation."""

import numpy as np
import pandas as pd
import pytest

from pipeline.contract.column import Column
from pipeline.contract.params import Clean
from pipeline.contract.schema import Schema
from pipeline.tables.sampling import reference
from stages.clean import clean
from stages.drift import compare
from tests.tables import make_schema
from tests.weather import DRIFT

PARAMS = Clean(min_rows=1, test_fraction=0.2, folds=5, max_rejected_fraction=0)


def rows(generator: np.random.Generator, n: int, combinations: int, heavy: float = 1.0) -> pd.DataFrame:
    """Homes of at most 24 combinations of plan and area, drawn one by one; the first has `heavy` times its weight."""
    weights = np.random.default_rng(1).dirichlet(np.full(combinations, 3.0))
    weights[0] *= heavy
    drawn = generator.choice(combinations, n, p=weights / weights.sum())
    price = drawn % 4 * 2.0 + drawn // 4 + generator.normal(size=n)
    cells = {"number": range(n), "plan": np.array(list("abcd"))[drawn % 4], "area": drawn // 4, "price": price.round(3)}
    return pd.DataFrame(cells).astype(str)


def plans(role: str) -> Schema:
    return make_schema(
        Column("number", "int", role=role),  # type: ignore[arg-type]
        Column("plan", "category", categories=tuple("abcd")),
        Column("area", "int"),
        Column("price", "float", role="target"),
    )


def compared(seed: int, combinations: int, role: str, live: str, heavy: float = 1.0) -> dict:
    """Compare live rows with the training rows of a table of 600 rows; a model is the mean of each combination, in the
    reference that of the other folds."""
    generator, schema = np.random.default_rng(seed), plans(role)
    table = clean(rows(generator, 600, combinations), schema, PARAMS).table
    training, keys = table[table["fold"] >= 0], ["plan", "area"]
    means = training.groupby(keys, observed=True)["price"].mean()
    grand = training["price"].mean()
    out_of_fold = pd.concat(
        part[keys].join(training[training["fold"] != k].groupby(keys, observed=True)["price"].mean(), on=keys)["price"]
        for k, part in training.groupby("fold")
    ).fillna(grand)
    training = training.assign(prediction=out_of_fold, residual=training["price"] - out_of_fold)
    found = {"test": table[table["fold"] < 0].drop(columns=["row", "fold", "price"])}
    found["drawn"] = rows(generator, 300, combinations, heavy).drop(columns="price")

    def predict(numbers: pd.DataFrame) -> np.ndarray:
        plan = pd.Series(np.array(list("abcd"))[numbers["plan"].astype(int)])
        return means.reindex(zip(plan, numbers["area"].astype(int), strict=True)).fillna(grand).to_numpy()

    return compare(reference(training, schema, 10_000), found[live], schema, DRIFT, predict=predict)


@pytest.mark.parametrize(("combinations", "role"), [(6, "id"), (24, "id"), (24, "ignore")])
@pytest.mark.parametrize("live", ["test", "drawn"])
def test_few_combinations_raise_no_alarm(combinations: int, role: str, live: str) -> None:
    """Where 6 or 24 combinations make up 600 rows, neither the test split nor other rows of the same kind alarm, with
    an id or without: out-of-fold predictions of a combination differ from the model's, and without an id whole
    combinations are in the test split alone."""
    reports = [compared(seed, combinations, role, live) for seed in range(15)]
    assert sum(report["drift_detected"] for report in reports) <= 1


def test_the_test_split_of_few_combinations_cannot_be_judged() -> None:
    """Without an id no row of the test split has a counterpart: the verdict is `insufficient`, and names the id."""
    report = compared(0, 24, "ignore", "test")
    assert (report["verdict"], report["n_live"]) == ("insufficient", 0)
    assert "a column with role id splits row by row" in report["summary"]


@pytest.mark.parametrize("role", ["ignore", "id"])
def test_a_shift_among_few_combinations_is_found(role: str) -> None:
    """A combination that becomes twenty times as frequent is a shift, with an id and without."""
    assert compared(3, 24, role, "drawn", heavy=20)["drift_detected"]
