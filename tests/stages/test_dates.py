"""Dates from the raw table to the answer of the server, and in the reports."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from pipeline.contract.column import Column
from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import Model
from pipeline.contract.params import Clean, Evaluate, Train
from pipeline.drift import encoding
from pipeline.evaluation import model_card
from pipeline.gate.comparable import check_columns
from pipeline.profiling.schema_text import describe
from pipeline.tables import cell_parser, row_hash
from pipeline.tables.feature_matrix import to_matrix
from pipeline.tables.splitting import TEST
from pipeline.training.onnx_export import describe_training, served_form
from stages.clean import clean
from stages.drift import compare
from stages.evaluate import judge
from stages.train import fit
from tests.api.conftest import serving
from tests.pipeline.training.homes import LIMITS
from tests.tables import make_schema
from tests.weather import DRIFT

PARAMS = Train(
    seed=1,
    interval_level=0.8,
    search_rows=10_000,
    max_settings=24,
    max_leaves=100_000,
    device="cpu",
    families={"xgboost": {"max_depth": [3]}},
)
RULES = Clean(min_rows=1, test_fraction=0.2, folds=3, max_rejected_fraction=0.1)
RENTALS = make_schema(
    Column("at", "datetime", "time", format="%d/%m/%Y %H:%M", parts=("month", "weekday", "hour")),
    Column("heat", "float"),
    Column("serviced", "datetime", nullable=True),
    Column("rented", "float", role="target"),
)


def rentals(n: int = 2000) -> pd.DataFrame:
    """Bikes that are rented by the hour: many in the morning, and after a service on a Sunday."""
    generator = np.random.default_rng(2)
    at = pd.Series(pd.date_range("2020-01-01", periods=n, freq="5h"))
    serviced = at - pd.to_timedelta(generator.integers(0, 50, n), "D")
    many = 100 * (at.dt.hour // 5 == 1) + 20 * (serviced.dt.day_of_week == 6) + generator.normal(0, 5, n)
    return pd.DataFrame(
        {
            "at": at.dt.strftime("%d/%m/%Y %H:%M"),
            "heat": generator.normal(10, 5, n).round(2),
            "serviced": serviced.dt.strftime("%Y-%m-%d").where(generator.random(n) > 0.1, ""),
            "rented": many.round(1),
        }
    )


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return clean(rentals(), RENTALS, RULES).table


@pytest.fixture(scope="module")
def content(table: pd.DataFrame) -> bytes:
    pipeline, record = fit(table, RENTALS, PARAMS, "xgboost")
    training = table[table["fold"] != TEST]
    described = describe_training(training["rented"].to_numpy(float), "0" * 64, record.cv_rmse)
    return served_form(pipeline, record, training, RENTALS, described, 0.8, LIMITS).content


def test_the_model_learns_from_the_time(table: pd.DataFrame) -> None:
    """A time with parts splits the table, and the model sees its parts: without them it knows little."""
    is_test = table["fold"] == TEST
    assert table["at"][is_test].min() > table["at"][~is_test].max()
    actual = table["rented"][is_test].to_numpy()
    plain = make_schema(*(msgspec.structs.replace(c, parts=()) if c.name == "at" else c for c in RENTALS.columns))
    with_parts, without = (
        float(np.sqrt(np.square(fit(table, s, PARAMS, "xgboost")[0].predict(table[is_test]) - actual).mean()))
        for s in (RENTALS, plain)
    )
    assert with_parts < 0.6 * without


def test_the_server_reads_dates_as_cleaning_does(table: pd.DataFrame, content: bytes, tmp_path: Path) -> None:
    """The text of the raw table, sent as it is, gets the answer of its typed row; a time that the model sees must be
    sent, and a date in another form is refused with the expected one."""
    (tmp_path / "model.onnx").write_bytes(content)
    sent = rentals().tail(20).drop(columns="rented").to_dict("records")
    answers = Model(content, "m").predict(to_matrix(table.tail(20), RENTALS.features))[:, 0]
    with serving(tmp_path, model_path=tmp_path / "model.onnx") as client:
        got = [answer["prediction"] for answer in client.post("/predict/batch", json=sent).json()]
        assert got == pytest.approx(answers.tolist(), rel=1e-9)
        refused = client.post("/predict", json={"heat": 3, "serviced": "1/2/2020"}).json()["errors"]
        assert [(each["field"], each["problem"]) for each in refused] == [("serviced", "type"), ("at", "missing")]
        assert refused[1]["expected"] == "a date or time like 30/11/2026 10:05 (%d/%m/%Y %H:%M)"
        page = client.get("/").text
        assert page.count('data-dtype="datetime"') == 2
        example = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]
        body = example["content"]["application/json"]["example"]
        assert client.post("/predict", json=body).status_code == 200


def test_reports_speak_of_the_one_date(table: pd.DataFrame, content: bytes) -> None:
    """Importance, missing indicators and the card have a date once; the card and `ops.schema check` name the parts that
    the model sees."""
    model, test = Model(content, "m"), table[table["fold"] == TEST]
    about = model.description
    assert set(sum((member.indicators for member in about.members), ())) <= {4}
    predictions = model.predict(to_matrix(test, about.columns))
    judged = judge(model, test, predictions, Evaluate(1, 50, 0.95, 2))
    assert judged.importance[0].feature == "at"
    assert {each.feature for each in judged.importance} == {"at", "heat", "serviced"}
    card = model_card.render(about, judged, 0.95)
    assert "| at |  |  | a date or time, of which the model sees month, weekday, hour |" in card
    assert "%d/%m/%Y %H:%M; the model sees month, weekday, hour" in describe(RENTALS)[0]


def test_an_unreadable_date_is_a_rejected_row() -> None:
    """A date in another form is unparseable; above the limit the run stops, and names the column, the cell and the
    format."""
    raw = rentals(100)
    raw.loc[7, "at"] = "2020-01-05 10:00"
    rejected = clean(raw, RENTALS, RULES).rejected
    assert rejected[["row", "column", "reason", "value"]].to_numpy().tolist() == [
        [7, "at", "unparseable", "2020-01-05 10:00"]
    ]
    raw["at"] = raw["at"].str.replace("/", ".")
    with pytest.raises(PipelineError, match=r"column at: row 0: at = '01\.01\.2020 .* written as %d/%m/%Y %H:%M"):
        clean(raw, RENTALS, RULES)


def test_later_rows_are_no_drift_by_themselves(table: pd.DataFrame) -> None:
    """Live rows are later than the reference, which is no shift of the time; a date that is a feature is compared by
    its days. Missing cells of either are found, and the predictions are those of the typed rows."""
    reference, live = table.iloc[:1000], table.iloc[1000:1400]
    settings = msgspec.structs.replace(DRIFT, window_rows=200)

    def moved(rows: pd.DataFrame) -> list[str]:
        report = compare(reference, rows, RENTALS, settings)
        json.dumps(report, allow_nan=False)
        return report["moved"]

    assert moved(live) == ["serviced"]
    assert moved(live.assign(serviced=reference["serviced"].sample(400, random_state=0).to_numpy())) == []
    assert "serviced" in moved(live.assign(serviced=pd.NaT))
    numbers = pd.DataFrame({c.name: encoding.to_numbers(live[c.name], c)[0] for c in RENTALS.features})
    expected = to_matrix(live, RENTALS.features)
    assert np.array_equal(encoding.to_matrix(numbers, RENTALS.features), expected, equal_nan=True)
    assert np.isnan(encoding.to_matrix(numbers.drop(columns="at"), RENTALS.features)[:, :3]).all()


def test_a_date_has_one_hash() -> None:
    """The split of a row does not depend on how its date is stored or written: text in two forms, a timestamp in any
    unit, another zone."""
    date = Column("d", "datetime")
    moments = pd.Series(
        pd.to_datetime(["2020-02-01T10:00Z", "1999-12-31T23:00:00.5Z", None], utc=True, format="ISO8601")
    )
    stored = [
        moments.map(lambda moment: "" if pd.isna(moment) else moment.isoformat()),
        moments.dt.as_unit("ns"),
        moments.dt.tz_convert("Asia/Tokyo"),
        moments.dt.tz_convert(None),
    ]
    tables = [cell_parser.parse(pd.DataFrame({"d": cells}), (date,))[0] for cells in stored]
    hashes = [row_hash.hash_rows(each, (date,)).tolist() for each in tables]
    assert all(each == hashes[0] for each in hashes)
    assert len(set(hashes[0])) == 3


def test_a_date_cannot_be_compared_with_another_kind(table: pd.DataFrame) -> None:
    """The gate says so where a column is a date to one model, and none to the other."""
    other = make_schema(Column("at", "float"), Column("rented", "float", role="target"))
    with pytest.raises(PipelineError, match="at is a date to one of them, and none to the other"):
        check_columns(other, "the champion", table, "rented")
    check_columns(RENTALS, "the champion", table, "rented")
    with pytest.raises(PipelineError, match="serviced is a date to one of them"):
        check_columns(RENTALS, "the champion", table.assign(serviced=1.0), "rented")
