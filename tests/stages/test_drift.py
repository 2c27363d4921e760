"""Drift: tests against SciPy's and by hand, error rates by simulation, the sketch and the blocks by their laws."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from scipy import stats

from bench import drift_samples
from stages import drift_metrics, drift_page, joint, live, loss, schema, shift, sketch, timeline
from stages.drift import compare
from stages.errors import PipelineError
from stages.params import Drift
from stages.schema import Column, Schema
from tests.conftest import ROOT, Project
from tests.stages.conftest import make_schema

WEATHER = make_schema(
    Column("heat", "float", nullable=True, min=-50, max=2000),
    Column("rain", "bool"),
    Column("wind", "category", categories=("n", "e", "s", "w")),
    Column("y", "float", role="target"),
)
DRIFT = Drift(
    alpha=0.01,
    min_rows=50,
    min_effect=0.2,
    min_rate_change=0.05,
    min_risk=0.1,
    window_rows=100,
    retrain_on_shift=False,
)
HEAT = Column("heat", "float", min=0, max=10)


def weather(n: int, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "row": range(n),
            "heat": generator.normal(20, 5, n),
            "rain": generator.random(n) < 0.3,
            "wind": generator.choice(list("nesw"), n),
        }
    )


def alarming(report: dict) -> list[str]:
    """The features that alarm by themselves."""
    return [n for n, f in report["features"].items() if any(isinstance(t, dict) and t.get("alarm") for t in f.values())]


def counts_of(reference: list[float], values: list[float]) -> tuple[sketch.Counts, sketch.Counts]:
    anchor = sketch.anchor(pd.Series(reference, dtype=float), HEAT)
    both = (sketch.count(np.array(side, dtype=float), 0, anchor) for side in (reference, values))
    return next(both), next(both)


def test_few_live_rows_are_no_verdict() -> None:
    """With fewer live rows than drift.min_rows the report says `insufficient` and detects nothing."""
    report = compare(weather(300, 0), weather(49, 1).assign(heat=99.0), WEATHER, DRIFT)
    assert (report["verdict"], report["drift_detected"], report["retrain"]) == ("insufficient", False, False)


@pytest.mark.parametrize(
    ("change", "verdict", "feature"),
    [
        ({"heat": lambda t: t["heat"] + 5}, "shifted", "heat"),
        ({"heat": lambda t: 1000.0 + t["heat"]}, "shifted", "heat"),
        ({"heat": lambda t: 3000.0 + t["heat"]}, "shifted", "heat"),
        ({"rain": lambda t: t.index % 3 > 0}, "shifted", "rain"),
        ({"wind": lambda t: "n"}, "shifted", "wind"),
        ({"heat": lambda t: t["heat"].where(t.index % 5 > 0)}, "data_quality", "heat"),
        ({"heat": lambda t: np.nan}, "data_quality", "heat"),
        ({"wind": lambda t: t["wind"].where(t.index % 5 > 0, "up")}, "data_quality", "wind"),
        ({"heat": lambda t: t["heat"].map(str).where(t.index % 5 > 0, "hot")}, "data_quality", "heat"),
    ],
)
def test_drift_is_found_and_named(change: dict, verdict: str, feature: str) -> None:
    """A shifted number, values beyond the reference (and the bounds), another share of yes, one category alone, more
    or all missing, unknown categories, text for numbers: each is found in 200 rows, and no other feature is named."""
    report = compare(weather(300, 0), weather(200, 1).assign(**change), WEATHER, DRIFT)
    assert (report["verdict"], report["drift_detected"], alarming(report)) == (verdict, True, [feature])
    assert feature in report["summary"]
    assert report["retrain"] is False
    json.dumps(report, allow_nan=False)


def test_a_value_that_stands_still() -> None:
    """A feature that nearly always is 0 in the reference and always in 300 live rows is called constant, though its
    distribution hardly moved; with one other value it is not."""
    reference = weather(600, 0).assign(heat=lambda t: np.where(t.index % 8, 0.0, t["heat"]))
    stuck = weather(300, 1).assign(heat=0.0)
    report = compare(reference, stuck, WEATHER, DRIFT)
    assert report["features"]["heat"]["constant"]["alarm"]
    assert "one value only" in " ".join(report["findings"])
    stuck.loc[5, "heat"] = 20.0
    assert not compare(reference, stuck, WEATHER, DRIFT)["features"]["heat"]["constant"]["alarm"]


def test_features_that_part_company_are_found() -> None:
    """A correlation that is gone, with every feature's own distribution as it was, is a shift that names the pair."""
    pairs = make_schema(
        Column("a", "float"), Column("b", "float"), Column("c", "float"), Column("y", "float", role="target")
    )
    generator = np.random.default_rng(0)

    def rows(n: int, together: float) -> pd.DataFrame:
        drawn = generator.multivariate_normal([0, 0, 0], [[1, together, 0], [together, 1, 0], [0, 0, 1]], n)
        return pd.DataFrame(drawn, columns=list("abc"))

    report = compare(rows(300, 0.8), rows(200, 0.0), pairs, DRIFT)
    assert (report["verdict"], report["joint"]["alarm"], alarming(report)) == ("shifted", True, [])
    assert report["moved"] == ["a and b"]
    assert report["joint"]["reference"] > 0.6 > 0.3 > abs(report["joint"]["live"])


def test_missing_values_alone_part_no_company() -> None:
    """Of two features that go together one has half of its values, or none, in the live rows: that is `data_quality`,
    and the correlation of the rest is as it was."""
    pair = make_schema(
        Column("a", "float"),
        Column("b", "float", nullable=True),
        Column("c", "float"),
        Column("y", "float", role="target"),
    )
    generator = np.random.default_rng(0)
    drawn = [pd.DataFrame(generator.normal(size=(n, 3)), columns=list("abc")) for n in (400, 200)]
    reference, rows = (side.assign(b=side["a"] + side["b"] / 4) for side in drawn)
    for missing in (rows["b"].where(rows.index % 2 > 0), np.nan):
        report = compare(reference, rows.assign(b=missing), pair, DRIFT)
        assert (report["verdict"], report["joint"]["alarm"], report["moved"]) == ("data_quality", False, ["b"])


def test_predictions_that_move_are_a_shift() -> None:
    """Where both sides have predictions and only these moved, the verdict is `shifted` and says so."""
    sides = [weather(n, n).assign(prediction=np.random.default_rng(n).normal(size=n)) for n in (300, 200)]
    assert compare(sides[0], sides[1], WEATHER, DRIFT)["verdict"] == "none"
    report = compare(sides[0], sides[1].assign(prediction=lambda t: t["prediction"] + 1), WEATHER, DRIFT)
    assert (report["verdict"], report["prediction"]["alarm"]) == ("shifted", True)
    assert report["summary"].startswith("the predictions rose by 0.9")


def feedback(n: int, seed: int, spread: float) -> pd.DataFrame:
    errors = np.random.default_rng(seed).normal(0, spread, n)
    return weather(n, seed).assign(prediction=0.0, residual=errors, y=errors)


def test_errors_that_grow_are_a_risk() -> None:
    """Feedback with larger errors than the reference's is `risk` and asks for a retrain without any shift; smaller ones
    and a rise below drift.min_risk do not."""
    reference = feedback(400, 0, 1.0)
    assert compare(reference, feedback(300, 1, 0.6), WEATHER, DRIFT)["verdict"] == "none"
    report = compare(reference, feedback(300, 1, 1.5), WEATHER, DRIFT)
    assert (report["verdict"], report["drift_detected"], report["retrain"]) == ("risk", True, True)
    assert report["performance"]["effect"] == pytest.approx(0.5, abs=0.15)
    assert compare(reference, feedback(300, 1, 1.5), WEATHER, replace(DRIFT, min_risk=1.0))["verdict"] == "none"


def test_a_shift_to_where_the_model_errs_is_a_risk() -> None:
    """Live rows that moved to where the reference's residuals are large are `risk`; moved to where they are small, they
    are `shifted`, and then retrain only with drift.retrain_on_shift."""
    reference = weather(1_000, 0).assign(residual=lambda t: np.where(t["heat"] > 22, 5.0, 1.0))
    up, down = (weather(300, 1).assign(heat=lambda t, by=by: t["heat"] + by) for by in (4, -4))
    risky = compare(reference, up, WEATHER, DRIFT, importance={"heat": 2.0})
    assert (risky["verdict"], risky["retrain"]) == ("risk", True)
    assert 1.1 < risky["expected_loss"]["low"] < risky["expected_loss"]["ratio"] < risky["expected_loss"]["high"]
    for limits, retrain in ((DRIFT, False), (replace(DRIFT, retrain_on_shift=True), True)):
        safe = compare(reference, down, WEATHER, limits, importance={"heat": 2.0})
        assert (safe["verdict"], safe["retrain"]) == ("shifted", retrain)


def test_a_shift_of_what_the_model_ignores_asks_for_no_retrain() -> None:
    """A shift of a feature on which the model does not depend is reported, says so, and retrains nothing, even where
    its values once went with larger residuals."""
    reference = weather(1_000, 0).assign(residual=lambda t: np.where(t["heat"] > 22, 5.0, 1.0))
    moved = weather(300, 1).assign(heat=lambda t: t["heat"] + 4)
    report = compare(reference, moved, WEATHER, DRIFT, importance={"heat": 0.0, "rain": 1.0})
    assert (report["verdict"], report["drift_detected"], report["retrain"]) == ("shifted", True, False)
    assert report["summary"].startswith("heat rose by 0.")
    assert report["summary"].endswith("the model does not depend on it")


def test_what_the_model_does_not_take_may_be_left_out() -> None:
    """A feature that has no importance, for `features.exclude` leaves it out, is reported where it shifts, and nothing
    is said where callers do not send it."""
    reference = weather(1_000, 0).assign(residual=1.0)
    moved, absent = (weather(300, 1).assign(heat=values) for values in (lambda t: t["heat"] + 4, np.nan))
    report = compare(reference, moved, WEATHER, DRIFT, importance={"rain": 1.0, "wind": 0.0})
    assert (report["verdict"], report["retrain"]) == ("shifted", False)
    assert report["summary"].endswith("the model does not depend on it")
    assert compare(reference, absent, WEATHER, DRIFT, importance={"rain": 1.0, "wind": 0.0})["verdict"] == "none"


def test_where_the_reference_has_no_rows_nothing_is_expected() -> None:
    """Of live rows far beyond the reference the report says how many they are, and no expected error."""
    reference = weather(500, 0).assign(residual=1.0)
    report = compare(reference, weather(100, 1).assign(heat=lambda t: t["heat"] + 500), WEATHER, DRIFT)
    assert "ratio" not in report["expected_loss"]
    assert report["expected_loss"]["beyond"] == 1.0


def test_reweighting_finds_the_error_of_the_live_mix() -> None:
    """With the same relation on both sides the reweighted RMSE is near the true live RMSE."""
    generator = np.random.default_rng(0)
    ours, theirs = generator.normal(0, 1, (4_000, 2)), generator.normal([0.7, 0], [0.8, 1], (2_000, 2))
    residuals, errors = (np.exp(side[:, 0] / 2) * generator.normal(size=len(side)) for side in (ours, theirs))
    found = loss.expected(ours, theirs, residuals)
    truth = np.sqrt(np.square(errors).mean() / np.square(residuals).mean())
    assert found.ratio == pytest.approx(truth, rel=0.08)
    assert found.low < truth < found.high
    assert loss.expected(ours, ours, residuals).ratio == pytest.approx(1.0, abs=0.01)


def test_no_drift_is_seldom_reported() -> None:
    """Of 60 random divisions of the real table into 306 reference and 200 live rows, no more alarm than 1 % and three
    standard errors allow."""
    table, columns = drift_samples.table(), schema.load(ROOT / "data/schema.yaml")
    pairs = [drift_samples.unchanged(table.drop(columns="MEDV"), 200, trial) for trial in range(60)]
    alarms = sum(compare(reference, rows, columns, DRIFT)["drift_detected"] for reference, rows in pairs)
    assert alarms / 60 <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 60)


@pytest.mark.parametrize(("n", "missing"), [(50, 0.0), (300, 0.0), (100, 0.3)])
def test_permuted_labels_find_nothing_too_often(n: int, missing: float) -> None:
    """The joint test of 120 pairs of equal tables with skewed, tied and missing values has a uniform p-value."""
    generator = np.random.default_rng(n)
    found = []
    for _ in range(120):
        both = np.column_stack(
            [generator.exponential(size=2 * n), generator.integers(0, 3, 2 * n), generator.normal(size=2 * n)]
        )
        both[:, 2] += both[:, 0]
        both[generator.random(both.shape) < missing] = np.nan
        sides = [pd.DataFrame(part, columns=list("abc")) for part in (both[:n], both[n:])]
        result = joint.compare(*sides)
        assert result is not None
        found.append(result.p_value)
    assert stats.kstest(found, "uniform").pvalue > 0.001


VALUES = st.lists(
    st.integers(-3, 12).map(float) | st.floats(-5, 15, width=16) | st.just(math.nan), min_size=1, max_size=60
)


@settings(max_examples=100, deadline=None)
@given(VALUES, VALUES)
def test_the_sketch_knows_the_ks_distance(reference: list[float], values: list[float]) -> None:
    """From counts alone the distance equals SciPy's, ties and values beyond the reference included."""
    known = [np.array([v for v in side if not math.isnan(v)]) for side in (reference, values)]
    if all(side.size for side in known):
        mine, _ = shift.numbers(*counts_of(reference, values))
        assert mine == pytest.approx(stats.ks_2samp(*known).statistic, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(VALUES, st.lists(st.integers(0, 60), max_size=5))
def test_any_split_into_batches_gives_the_same_sketch(values: list[float], cuts: list[int]) -> None:
    """The counts and the sample of a table do not depend on the batches that it comes in."""
    table = pd.DataFrame({"heat": values, "y": np.arange(len(values), dtype=float)})
    only = make_schema(HEAT, Column("y", "float", role="target"))
    anchors = (sketch.anchor(pd.Series([1.0, 2.0, 2.0, 5.0]), HEAT),)
    numbers = np.arange(len(table))
    whole = sketch.take(table, numbers, anchors, only)
    edges = [0, *sorted(min(cut, len(table)) for cut in cuts), len(table)]
    parts = [sketch.take(table[a:b], numbers[a:b], anchors, only) for a, b in itertools.pairwise(edges)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    for field in ("rows", "missing", "unusable", "outside", "lowest", "highest"):
        assert getattr(total.counts["heat"], field) == getattr(whole.counts["heat"], field)
    for field in ("less", "at_most", "bins"):
        assert getattr(total.counts["heat"], field).tolist() == getattr(whole.counts["heat"], field).tolist()
    pd.testing.assert_frame_equal(total.sample, whole.sample)


def test_the_sample_stays_small_and_does_not_depend_on_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many rows the sample keeps sketch.SAMPLE, the same ones for any batch size."""
    rows = weather(9_000, 0)
    anchors = tuple(sketch.anchor(rows[c.name], c) for c in WEATHER.features)
    samples = []
    for size in (512, 4_000, 9_000):
        monkeypatch.setattr(live, "BATCH", size)
        starts = range(0, len(rows), size)
        parts = [
            sketch.take(batch, np.arange(s, s + len(batch)), anchors, WEATHER)
            for s, batch in zip(starts, live.of_table(rows).batches(), strict=True)
        ]
        samples.append(sum(parts[1:], start=parts[0]).sample)
    assert [len(sample) for sample in samples] == [sketch.SAMPLE] * 3
    assert samples[0].index.tolist() == samples[1].index.tolist() == samples[2].index.tolist()


@pytest.mark.parametrize(("n", "m"), [(50, 306), (101, 405), (200, 200), (7, 3)])
def test_small_p_values_of_ks_are_exact(n: int, m: int) -> None:
    """The p-value of the distance is SciPy's exact one."""
    generator = np.random.default_rng(n)
    for by in (0.3, 0.6, 1.0):
        sides = generator.normal(size=n), generator.normal(by, 1, m)
        exact = stats.ks_2samp(*sides, method="exact")
        if 1e-10 < exact.pvalue < shift.UNDOUBTED:
            assert shift.distance_p_value(round(exact.statistic * n * m), n, m) == pytest.approx(exact.pvalue, rel=1e-6)


def test_huge_tables_alarm_by_effect_only() -> None:
    """With 200,000 rows a shift of a twentieth of a standard deviation is significant and no alarm; half of one is."""
    reference, rows = weather(10_000, 0), weather(200_000, 1)
    report = compare(reference, rows.assign(heat=rows["heat"] + 0.4), WEATHER, DRIFT)
    assert report["features"]["heat"]["values"]["p_adjusted"] < 1e-4
    assert report["verdict"] == "none"
    assert compare(reference, rows.assign(heat=rows["heat"] + 2.5), WEATHER, DRIFT)["verdict"] == "shifted"


def test_psi_stays_under_its_own_limit() -> None:
    """With no change PSI exceeds the limit of its null about as often as `alpha` says, at 100 rows and at 5,000."""
    for n in (100, 5_000):
        generator = np.random.default_rng(n)
        over = 0
        for _ in range(200):
            value, limit = shift.psi(*counts_of(generator.random(400).tolist(), generator.random(n).tolist()), 0.05)
            over += value > limit
        assert over / 200 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_odd_features_do_not_stop_the_report() -> None:
    """Constant, empty and one-valued features, on one side or both, and columns that are absent give a report."""
    reference = weather(100, 0).assign(heat=1.0)
    for change in ({"heat": 1.0}, {"heat": np.nan}, {"heat": 2.0}, {"wind": None}, {"heat": np.inf}):
        json.dumps(compare(reference, weather(60, 1).assign(**change), WEATHER, DRIFT), allow_nan=False)
        json.dumps(compare(weather(60, 1).assign(**change), weather(60, 2), WEATHER, DRIFT), allow_nan=False)
    report = compare(reference, weather(200, 1).drop(columns="wind"), WEATHER, DRIFT)
    assert set(report["features"]) == {"heat", "rain"}
    assert compare(reference.head(1), weather(1, 1), WEATHER, replace(DRIFT, min_rows=1))["verdict"] == "none"
    assert compare(reference, pd.DataFrame(), WEATHER, DRIFT)["verdict"] == "insufficient"


def test_rows_that_stand_twice_are_no_drift() -> None:
    """A live table that is the reference twice over differs from it in nothing."""
    reference = weather(300, 0)
    report = compare(reference, pd.concat([reference, reference]), WEATHER, DRIFT)
    assert report["verdict"] == "none"
    assert report["features"]["heat"]["values"]["effect"] == 0


def test_alpha_is_spent_once() -> None:
    """The shares of all blocks add up to at most the whole, however many there are."""
    spent = np.cumsum([timeline.share(k) for k in range(1, 50_001)])
    assert (np.diff(spent) > 0).all()
    assert spent[-1] == pytest.approx(1 - 1 / math.log2(50_002))


def timed(n: int, seed: int) -> pd.DataFrame:
    return weather(n, seed).assign(prediction_time=pd.date_range("2026-01-01", periods=n, freq="min", tz="UTC"))


def test_a_change_is_dated() -> None:
    """Rows with a time are judged in blocks, in the order of time whatever their order in the file; the report names
    the first block that alarms and shows the figures from there on."""
    rows = timed(1_000, 1)
    rows.loc[600:, "heat"] += 8.0
    report = compare(weather(400, 0), rows.sample(frac=1, random_state=0), WEATHER, DRIFT)
    assert report["verdict"] == "shifted"
    assert report["began"] == {"first": "2026-01-01T10:00:00Z", "last": "2026-01-01T11:39:00Z"}
    assert [bool(block["alarms"]) for block in report["timeline"]] == [False] * 6 + [True] * 3
    assert report["features"]["heat"]["mean_shift"] == pytest.approx(8 / 5, abs=0.2)


def test_later_rows_change_no_earlier_block() -> None:
    """What was said of a block stays what it was when rows are appended; rows that fill no block wait."""
    rows, reference = timed(1_250, 1), weather(400, 0)
    before, after = (compare(reference, rows.head(n), WEATHER, DRIFT)["timeline"] for n in (780, 1_250))
    assert [block["rows"] for block in after] == [100] * 8 + [200] * 2
    assert after[: len(before)] == before
    assert compare(reference, rows.head(99), WEATHER, DRIFT)["verdict"] == "insufficient"


def test_rows_without_a_moment_are_counted_and_not_judged() -> None:
    """A live row with no time is in no block, and the report says how many there are."""
    rows = timed(220, 1)
    rows.loc[::11, "prediction_time"] = pd.NaT
    report = compare(weather(300, 0), rows, WEATHER, DRIFT)
    assert (report["n_live"], report["n_untimed"], len(report["timeline"])) == (220, 20, 2)


def test_live_rows_are_read_from_csv_and_parquet(tmp_path) -> None:
    """data/live may hold CSV and Parquet parts, which give the same counts as one table; a column that a part lacks is
    missing there, and a part that is no table is an error that names it."""
    rows = weather(300, 0)
    rows.to_csv(tmp_path / "a.csv", index=False)
    rows.to_parquet(tmp_path / "b.parquet", index=False)
    both = compare(weather(300, 5), live.of_folder(tmp_path, WEATHER), WEATHER, DRIFT)
    assert both == compare(weather(300, 5), pd.concat([rows, rows]), WEATHER, DRIFT)
    rows.drop(columns="heat").to_csv(tmp_path / "c.csv", index=False)
    thirds = compare(weather(300, 5), live.of_folder(tmp_path, WEATHER), WEATHER, DRIFT)
    assert thirds["features"]["heat"]["rates"]["missing"][1] == pytest.approx(1 / 3)
    (tmp_path / "d.csv").write_text("heat,rain\n1,2,3\n")
    with pytest.raises(PipelineError, match=r"d\.csv"):
        compare(weather(300, 5), live.of_folder(tmp_path, WEATHER), WEATHER, DRIFT)
    (tmp_path / "d.csv").unlink()
    timed(10, 0).to_csv(tmp_path / "e.csv", index=False)
    with pytest.raises(PipelineError, match=r"a\.csv has no column prediction_time"):
        live.of_folder(tmp_path, WEATHER)


def test_times_are_read_in_any_form(tmp_path) -> None:
    """Times as timestamps, as ISO 8601 text and as numbers of the schema's time column order the rows alike."""
    rows = timed(300, 1)
    rows.loc[200:, "heat"] += 10
    texts = rows.assign(prediction_time=rows["prediction_time"].map(lambda moment: moment.isoformat()))
    own = Schema(version=1, source=WEATHER.source, columns=(*WEATHER.columns, Column("day", "int", role="time")))
    reports = [
        compare(weather(300, 0), table, about, DRIFT)["timeline"]
        for table, about in (
            (rows, WEATHER),
            (texts, WEATHER),
            (rows.drop(columns="prediction_time").assign(day=range(300)), own),
        )
    ]
    assert [[block["alarms"] for block in report] for report in reports] == [[[], [], ["heat"]]] * 3


def test_a_column_that_no_file_has_is_missing(tmp_path: Path) -> None:
    """A feature that a file of live rows does not have is missing there and alarms, and the predictions that move with
    it change nothing in that; text for a prediction is none; in an empty folder nothing is."""
    reference = weather(300, 0).assign(prediction=lambda t: t["heat"] + t["rain"], residual=1.0)
    assert live.of_folder(tmp_path, WEATHER).columns == ()
    weather(200, 1).drop(columns="heat").assign(prediction="hot").to_csv(tmp_path / "rows.csv", index=False)
    rows = live.of_folder(tmp_path, WEATHER)
    for predict in (None, lambda part: part["heat"].fillna(0.0).to_numpy()):
        report = compare(reference, rows, WEATHER, DRIFT, predict=predict)
        assert report["verdict"] == "data_quality"
        assert "heat: 100% of the values are missing, before 0%" in report["findings"]


def test_a_list_in_a_cell_is_an_error(tmp_path: Path) -> None:
    """A Parquet file with lists in a column that is compared is refused by name; in others it is no matter."""
    weather(60, 1).assign(note=[[1]] * 60).to_parquet(tmp_path / "rows.parquet")
    assert compare(weather(300, 0), live.of_folder(tmp_path, WEATHER), WEATHER, DRIFT)["verdict"] == "none"
    weather(60, 1).assign(heat=[[1]] * 60).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(PipelineError, match=r"column heat holds list.*, expected one value a row"):
        compare(weather(300, 0), live.of_folder(tmp_path, WEATHER), WEATHER, DRIFT)


def test_holm_by_hand() -> None:
    """Holm's adjusted p-values of 0.01, 0.04, 0.03 are 0.03, 0.06, 0.06."""
    assert shift.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_the_page_stays_small() -> None:
    """With 500 features, 60 categories and names that look like HTML the page is under 300 kB, needs nothing from
    elsewhere, and escapes what it shows; the metrics and the plot stay small too."""
    columns = [Column(f"<b>f{k}</b>", "float") for k in range(499)]
    wind = Column("w&w", "category", categories=tuple(f"<i>{k}" for k in range(60)))
    wide = make_schema(*columns, wind, Column("y", "float", role="target"))
    generator = np.random.default_rng(0)

    def rows(n: int, by: float) -> pd.DataFrame:
        table = pd.DataFrame(generator.normal(by, 1, (n, 499)), columns=[c.name for c in columns])
        return table.assign(**{"w&w": generator.choice(wind.categories, n)})

    moments = pd.date_range("2026-01-01", periods=500, freq="min", tz="UTC")
    report = compare(rows(300, 0), rows(500, 1).assign(prediction_time=moments), wide, DRIFT)
    page = drift_page.render(report)
    assert len(page.encode()) < 300_000
    assert "<b>f" not in page
    assert "<i>0" not in page
    for wanting in ("<script", "http://", "https://", "url("):
        assert wanting not in page
    assert len(json.dumps(drift_metrics.metrics(report))) < 10_000
    assert len(drift_metrics.plot_data(report)) == drift_metrics.LISTED


@pytest.mark.parametrize("rows", [0, 60, 300])
def test_the_page_says_what_the_report_says(rows: int) -> None:
    """Every report, empty ones too, is a page with its verdict and summary; metrics have the same keys always."""
    report = compare(feedback(300, 0, 1.0), feedback(rows, 1, 2.0), WEATHER, DRIFT)
    page = drift_page.render(report)
    assert f"<b>{report['verdict']}</b>" in page
    assert set(drift_metrics.metrics(report)) >= {"verdict", "drift_detected", "retrain", "n_live", "expected_ratio"}


def test_the_stage_names_what_moved(reproduced: Project) -> None:
    """Test rows are `none`; rows with LSTAT shifted and rooms scaled are an alarm that names both, in the metrics, in
    the page and on the terminal; the model predicts them, so that the predictions are compared too."""
    rows = pd.read_parquet(reproduced.path("data/clean/test.parquet")).drop(columns=["row", "fold", "MEDV"])
    rows.to_csv(reproduced.path("data/live/rows.csv"), index=False)
    assert "drift: none (" in reproduced.stage("drift").stdout
    quiet = json.loads(reproduced.path("metrics/drift.json").read_text())
    assert (quiet["drift_detected"], quiet["retrain"], quiet["n_moved"]) == (False, False, 0)
    assert quiet["prediction_effect"] < 0.25
    moved = rows.assign(LSTAT=rows["LSTAT"] + 8, RM=rows["RM"] * 0.8)
    moved.to_csv(reproduced.path("data/live/rows.csv"), index=False)
    said = reproduced.stage("drift").stdout
    loud = json.loads(reproduced.path("metrics/drift.json").read_text())
    assert loud["verdict"] in ("shifted", "risk")
    assert {"LSTAT", "RM"} <= set(loud["moved"])
    assert "standard deviations" in said
    assert "LSTAT" in reproduced.path("metrics/drift.html").read_text()
    assert "LSTAT" in reproduced.path("metrics/plots/drift.csv").read_text()
