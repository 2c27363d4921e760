"""What evaluate says of a model: slices, importance, plots and the card, on tables small enough to check by hand."""

from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from pipeline.contract.onnx_model import Description, Interval, Training
from pipeline.contract.params import Evaluate
from pipeline.contract.schema import Column
from pipeline.evaluation import bootstrap, card_sections, model_card, permutation_importance, plots, slices
from pipeline.tables import plot_data
from pipeline.tables.feature_matrix import to_matrix
from stages.evaluate import draw, judge
from tests.tables import make_schema

LIMITS = Evaluate(seed=1, bootstrap_samples=200, level=0.95, importance_repeats=3)
HOUSES = make_schema(
    Column("area", "float", nullable=True),
    Column("garden", "bool", nullable=True),
    Column("street", "category", categories=("north", "south", "missing"), nullable=True),
    Column("price", "float", unit="euro", role="target"),
)


def houses(price: list[float], garden: list[bool | None], street: list[str | None]) -> pd.DataFrame:
    n = len(price)
    columns = {"row": range(n), "area": np.arange(n, dtype=float), "garden": pd.array(garden, dtype="boolean")}
    return pd.DataFrame({**columns, "street": pd.array(street, dtype="string"), "price": price})


def around(predicted: np.ndarray, half: float = 1.0) -> np.ndarray:
    return np.column_stack([predicted, predicted - half, predicted + half])


class Constant:
    """Stands in for a served model: its prediction is `area`, or 0 where that is missing."""

    def __init__(self) -> None:
        self.description = Description(
            format=1,
            family="constant",
            settings={},
            schema=HOUSES,
            features=("area", "garden", "street"),
            imputed={"area": 0.0, "garden": 1.0, "street": 1.0},
            interval=Interval(0.9, "a guess"),
            training=Training(rows=10, sha256="0" * 64, target_median=2.0, target_std=1.0, cv_rmse=1.5),
        )

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        return around(np.nan_to_num(matrix[:, 0]))


def evaluated(table: pd.DataFrame) -> tuple[card_sections.Evaluation, plot_data.PlotData, str]:
    model: Any = Constant()
    predictions = model.predict(to_matrix(table, model.description.columns))
    judged = judge(model, table, predictions, LIMITS)
    data = draw(judged, table["row"], table["price"].to_numpy(), predictions, LIMITS.level)
    return judged, data, model_card.render(model.description, judged, LIMITS.level)


def test_slices_by_hand() -> None:
    """Slices are the thirds of the target and each value of a bool or category feature, a missing value last; a
    category that is itself called "missing" is told apart, and a value without rows is left out."""
    table = houses(
        [1, 2, 3, 4, 5, 6], [True, False, None, True, False, None], ["north", "missing", None, *["north"] * 3]
    )
    errors = np.array([1.0, -1, 2, -2, 3, 3])
    found = slices.measure(table, HOUSES, around(table["price"].to_numpy() + errors), LIMITS)
    assert [(s.name, s.n) for s in found] == [
        ("price: low, to 2.667", 2),
        ("price: middle, to 4.333", 2),
        ("price: high, above 4.333", 2),
        ("garden: false", 2),
        ("garden: true", 2),
        ("garden: missing", 2),
        ("street: north", 4),
        ("street: 'missing'", 1),
        ("street: missing", 1),
    ]
    assert [s.rmse for s in found[:4]] == pytest.approx([1, 2, 3, np.sqrt(5)])
    assert [s.bias for s in found[:4]] == pytest.approx([0, 0, 3, 1])
    assert [s.coverage for s in found[:4]] == pytest.approx([1, 0, 0, 0.5])
    low, high = found[3].interval or (0, 0)
    assert (low, high) == pytest.approx((1, 3))
    assert found[7].interval is None


def test_an_excluded_feature_is_still_sliced_by() -> None:
    """A feature that features.exclude leaves out still has its slices; what the table does not have has none."""
    table = houses([1, 2, 3], [True, False, None], ["north"] * 3)
    found = slices.measure(table.drop(columns="street"), HOUSES.excluding(("garden",)), around(np.zeros(3)), LIMITS)
    assert [s.feature for s in found] == ["price"] * 3 + ["garden"] * 3


def test_terciles_keep_equal_values_together() -> None:
    """A target that never varies is one slice, not three."""
    table = houses([5, 5, 5, 5], [True] * 4, ["north"] * 4)
    found = slices.measure(table, HOUSES, around(np.full(4, 6.0)), LIMITS)
    assert [(s.feature, s.n, s.rmse) for s in found] == [("price", 4, 1.0), ("garden", 4, 1.0), ("street", 4, 1.0)]


def test_an_unused_feature_has_no_importance() -> None:
    """Shuffling a feature that the model does not use changes RMSE by exactly 0; one that it lives on comes first."""
    matrix = np.random.default_rng(0).normal(size=(50, 2))
    found = permutation_importance.permute(lambda m: m[:, 1], matrix, matrix[:, 1], ("noise", "signal"), 5, seed=1)
    assert [i.feature for i in found] == ["signal", "noise"]
    assert found[0].increase > 0.5
    assert found[0].spread > 0
    assert found[1] == permutation_importance.Importance("noise", 0.0, 0.0)


def test_importance_by_hand() -> None:
    """The increase is RMSE after shuffling minus RMSE before; its spread is over the repeats, from the seed alone."""
    matrix = np.array([[0.0], [2.0]])
    repeats = [
        permutation_importance.permute(lambda m: m[:, 0], matrix, np.array([0.0, 2]), ("x",), 40, seed=s)[0]
        for s in (1, 1, 2)
    ]
    # Two rows are either swapped (RMSE 2) or not (RMSE 0).
    swapped = repeats[0].increase / 2
    assert 0.2 < swapped < 0.8
    assert repeats[0].spread == pytest.approx(2 * np.sqrt(swapped * (1 - swapped)))
    assert repeats[0] == repeats[1] != repeats[2]


def test_importance_leaves_its_input_alone() -> None:
    """The matrix that is judged is not changed by it, and a feature without any value has no importance."""
    matrix = np.column_stack([np.arange(9.0), np.full(9, np.nan)])
    before = matrix.copy()
    found = permutation_importance.permute(
        lambda m: np.nansum(m, axis=1), matrix, matrix[:, 0], ("a", "empty"), 3, seed=1
    )
    assert np.array_equal(matrix, before, equal_nan=True)
    assert found[1] == permutation_importance.Importance("empty", 0.0, 0.0)


def test_coverage_by_decile_by_hand() -> None:
    """Of 20 predictions each decile has two; its coverage is their share inside, with Wilson's interval around it."""
    predicted = np.arange(20.0)
    actual = predicted + np.array([0.0, 9] + [0] * 16 + [9, 9])
    found = plots.coverage(actual, around(predicted), 0.95)
    assert list(found["decile"]) == list(range(1, 11))
    assert set(found["n"]) == {2}
    assert list(found["coverage"]) == [0.5, *[1.0] * 8, 0.0]
    assert set(found["width"]) == {2.0}
    # Wilson (1927) for 1 of 2, 2 of 2 and 0 of 2 at 95 %.
    assert found.loc[[0, 1, 9], ["low", "high"]].to_numpy() == pytest.approx(
        np.array([[0.0945, 0.9055], [0.3424, 1], [0, 0.6576]]), abs=1e-4
    )


def test_equal_predictions_share_a_decile() -> None:
    """A model that always says the same has one decile."""
    found = plots.coverage(np.arange(7.0), around(np.full(7, 3.0)), 0.95)
    assert found[["decile", "n"]].to_numpy().tolist() == [[1, 7]]
    assert found["coverage"].item() == pytest.approx(3 / 7)


def test_a_scatter_plot_has_at_most_a_thousand_points() -> None:
    """Of many rows the plots show a sample that depends on the row numbers alone, each with its own residual."""
    numbers, actual = pd.Series(range(5_000)), np.arange(5_000.0)
    data = plots.points(numbers, actual, actual - 2)
    assert {len(table) for table in data.values()} == {plots.POINTS}
    assert set(data["residuals"]["residual"]) == {2.0}
    other = plots.points(numbers, actual, actual - 3)
    assert other["predictions"]["actual"].equals(data["predictions"]["actual"])


def test_families_come_best_first() -> None:
    """The plot of cross-validation has a row a family, the best first, with one standard error to each side."""
    found = plots.families(
        {"a": {"cv_rmse": 3.0, "cv_rmse_se": 0.5}, "b": {"cv_rmse": 2.0, "cv_rmse_se": 0.25, "x": 1}}
    )
    assert found.to_numpy().tolist() == [["b", 2.0, 1.75, 2.25], ["a", 3.0, 2.5, 3.5]]


def test_plot_data_are_the_same_bytes_everywhere(tmp_path) -> None:
    """Plot data have six digits and the line ends of Unix; a missing figure is an empty cell."""
    plot_data.save({"t": pd.DataFrame({"name": ["a, b", "c"], "value": [1 / 3, np.nan]})}, tmp_path / "plots")
    assert (tmp_path / "plots/t.csv").read_bytes() == b'name,value\n"a, b",0.333333\nc,\n'


def test_every_figure_has_an_interval_around_it() -> None:
    """The bootstrap gives each defined figure an interval that holds it, and an undefined one none."""
    generator = np.random.default_rng(0)
    actual = generator.uniform(10, 20, 80)
    predictions = around(actual + generator.normal(0, 1, 80))
    found, whole = bootstrap.intervals(actual, predictions, LIMITS), bootstrap.figures(actual, predictions)
    assert list(found) == list(whole)
    for name, value in whole.items():
        low, high = found[name] or (np.nan, np.nan)
        assert low - 1e-9 <= value <= high + 1e-9, name
    undefined = bootstrap.intervals(actual - 15, predictions - 15, LIMITS)
    assert {name for name, interval in undefined.items() if interval is None} == {"mape", "cod", "prd", "prb"}


@pytest.mark.parametrize(
    "table",
    [
        houses([1.0, 2, 3], [True, True, True], ["north"] * 3),
        houses([1.0, 2, 3], [None] * 3, [None] * 3).assign(area=np.nan),
        houses([7.0, 7, 7], [True, False, None], ["north", "south", None]),
        houses([-1.0], [True], ["missing"]),
    ],
    ids=["one-level", "all-missing", "constant-target", "one-row"],
)
def test_degenerate_test_splits_are_judged(table: pd.DataFrame) -> None:
    """Three test rows, one category level, nothing but missing features, a target that never varies, a single row: each
    gives metrics, plots and a card without a NaN."""
    judged, data, page = evaluated(table)
    assert msgspec.json.decode(msgspec.json.encode(judged.metrics))["n_test"] == len(table)
    assert not any(isinstance(value, float) and np.isnan(value) for value in judged.metrics.values())
    assert {i.feature for i in judged.importance} == {"area", "garden", "street"}
    assert data["coverage"]["n"].sum() == len(table)
    assert "nan" not in page.lower().replace("meaning", "")
    assert card_sections.summary(judged.metrics).startswith("constant: rmse ")


def test_the_card_says_what_was_measured() -> None:
    """The card has the notes of the schema, the figures with their intervals, every slice and every feature."""
    schema = msgspec.structs.replace(HOUSES, source=msgspec.structs.replace(HOUSES.source, notes=("Beware | of B.",)))
    judged, _, _ = evaluated(houses([1, 2, 3, 4], [True, False, None, True], ["north", "south", None, "north"]))
    about = msgspec.structs.replace(Constant().description, schema=schema)
    page = model_card.render(about, judged, 0.95)
    assert "- Beware | of B." in page
    assert "| garden |  |  | true, false | true |" in page
    assert "| street |  |  | north, south, missing | south |" in page
    assert "| rmse | 1.0000 | 1.0000 to 1.0000 | root mean squared error, in euro |" in page
    assert all(f"| {s.feature} | {s.value} | {s.n} |" in page for s in judged.slices)
    assert all(f"| {i.feature} | " in page.split("## Importance")[1] for i in judged.importance)
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        f"## {name}"
        for name in (
            "Data",
            "Intended use and misuse",
            "Quality on the test split",
            "Slices",
            "Importance",
            "Model",
            "Limits",
        )
    ]


def test_a_long_table_of_slices_is_cut_and_says_so() -> None:
    """With many values the card shows the largest slices and leads to the file with all of them."""
    many = [slices.Slice("street", f"s{n}", n, 1.0, None, 0.0, 1.0) for n in range(100)]
    judged, _, _ = evaluated(houses([1, 2, 3], [True] * 3, ["north"] * 3))
    page = model_card.render(Constant().description, judged._replace(slices=many), 0.95)
    assert "60 smaller slices are in [slices.csv]" in page
    assert "| street | s99 |" in page
    assert "| street | s59 |" not in page
