"""The evaluation of a model as a whole: metrics, plots and the card, on tables small enough to check by hand."""

from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation import model_card, slices
from pipeline.tables import plot_data
from pipeline.tables.feature_matrix import to_matrix
from stages.evaluate import draw, judge, summary
from tests.houses import HOUSES, LIMITS, Constant, houses


def evaluated(table: pd.DataFrame) -> tuple[model_card.Evaluation, plot_data.PlotData, str]:
    model: Any = Constant()
    predictions = model.predict(to_matrix(table, model.description.columns))
    judged = judge(model, table, predictions, LIMITS)
    data = draw(judged, table["row"], table["price"].to_numpy(), predictions, LIMITS.level)
    return judged, data, model_card.render(model.description, judged, LIMITS.level)


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
    assert summary(judged.metrics).startswith("constant: rmse ")


def test_the_card_says_what_was_measured() -> None:
    """The card has the notes of the schema, the figures with their intervals, every slice and every feature."""
    schema = msgspec.structs.replace(HOUSES, source=msgspec.structs.replace(HOUSES.source, notes=("Beware | of B.",)))
    judged, _, _ = evaluated(houses([1, 2, 3, 4], [True, False, None, True], ["north", "south", None, "north"]))
    about = msgspec.structs.replace(Constant().description, schema=schema)
    page = model_card.render(about, judged, 0.95)
    assert "- Beware | of B." in page
    assert "| garden |  |  | true, false | true |" in page
    assert "| street |  |  | north, south, missing | south |" in page
    assert "| rmse | 1.000 | 1.000 to 1.000 | root mean squared error, in euro |" in page
    assert all(f"| {s.feature} | {s.value} | {s.n} |" in page for s in judged.slices)
    assert all(f"| {i.feature} | " in page.split("## Importance")[1] for i in judged.importance)


def card(table: pd.DataFrame, **training: float) -> list[str]:
    """The limits on the card of a model whose description of its training rows has these changes."""
    judged, _, _ = evaluated(table)
    about = Constant().description
    about = msgspec.structs.replace(about, training=msgspec.structs.replace(about.training, **training))
    return model_card.render(about, judged, 0.95).split("## Limits\n\n")[1].splitlines()


def test_a_model_worse_than_the_median_is_called_so_on_its_card() -> None:
    """The card's limits begin with how far RMSE is above that of always saying the median."""
    table = houses([2.0, 2, 1, 3], [True] * 4, ["north"] * 4)
    assert card(table)[0].startswith("- **RMSE is 73.2% above that of always saying the median.**")
    good = houses([0.0, 1, 2, 3], [True] * 4, ["north"] * 4)
    assert card(good)[0].startswith("- It knows only rows like")


def test_a_split_in_which_the_median_is_right_says_so() -> None:
    """A baseline without an error is told in words, and no percentage of it is made."""
    found = card(houses([2.0, 2, 2], [True] * 3, ["north"] * 3))
    assert found[0] == "- **Always saying the median makes no error in these rows, so they can show no better model.**"


def test_a_model_too_good_to_be_true_is_questioned_on_its_card() -> None:
    """From an out-of-fold R² of 0.9999 on, the card's limits ask whether a feature is made from the target."""
    table = houses([0.0, 1, 2, 3], [True] * 4, ["north"] * 4)
    assert "is a feature made from the target?" in card(table, target_std=2.0, cv_rmse=0.01)[0]
    assert "made from the target" not in " ".join(card(table, target_std=2.0, cv_rmse=0.03))


@pytest.mark.parametrize(("scale", "shown"), [(0.0012, "0.001200"), (240_000, "240,000")])
def test_figures_have_significant_digits_whatever_the_target(scale: float, shown: str) -> None:
    """A card and a terminal show 0.001200 for a target that small, and 240,000 for one that large."""
    table = houses([scale, -scale, scale, -scale], [True] * 4, ["north"] * 4).assign(area=0.0)
    judged, _, page = evaluated(table)
    assert f"| rmse | {shown} | {shown} to {shown} |" in page
    assert summary(judged.metrics) == f"constant: rmse {shown} [{shown}, {shown}]"


def test_one_row_and_one_feature_are_singular() -> None:
    """The card says `1 feature` and `1 row`."""
    judged, _, _ = evaluated(houses([-1.0], [True], ["missing"]))
    about = msgspec.structs.replace(Constant().description, features=("area",))
    page = model_card.render(about, judged, 0.95)
    for words in ("from 1 feature, with", "\n1 row that took", "- 1 test row of the same source says nothing"):
        assert words in page


def test_a_long_table_of_slices_is_cut_and_says_so() -> None:
    """The card shows the largest of many slices and links to the file with all of them."""
    many = [slices.Slice("street", f"s{n}", n, 1.0, None, 0.0, 1.0) for n in range(100)]
    judged, _, _ = evaluated(houses([1, 2, 3], [True] * 3, ["north"] * 3))
    page = model_card.render(Constant().description, judged._replace(slices=many), 0.95)
    assert "60 smaller slices are in [slices.csv]" in page
    assert "| street | s99 |" in page
    assert "| street | s59 |" not in page
