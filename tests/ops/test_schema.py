"""`python -m ops.schema`: infer and check, as a user calls them."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ops.schema import check, print_inferred
from pipeline.contract import paths, schema
from pipeline.contract.column import Column
from pipeline.contract.errors import PipelineError
from pipeline.contract.schema import Schema
from pipeline.profiling.inferred_schema import infer
from pipeline.profiling.schema_text import to_yaml
from tests.conftest import ROOT
from tests.describable import table

HOUSING = "data/raw/housing.csv"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with data/raw, which is empty."""
    monkeypatch.chdir(tmp_path)
    paths.RAW.mkdir(parents=True)
    return tmp_path


def checked(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what `check` prints of data/schema.yaml."""
    check(paths.SCHEMA)
    return capsys.readouterr().out.splitlines()


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "-m", "ops.schema", *arguments]
    return subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)


def test_stdout_is_the_yaml_alone(tmp_path: Path) -> None:
    """`infer FILE --target NAME` prints a schema on stdout that loads as it is, and the remarks on stderr."""
    done = command("infer", HOUSING, "--target", "MEDV")
    assert done.returncode == 0
    (tmp_path / "schema.yaml").write_text(done.stdout)
    assert schema.load(tmp_path / "schema.yaml").target.name == "MEDV"
    assert done.stderr.startswith(f"{HOUSING}: 506 rows, 14 columns: 13 features, target MEDV. Check:\n- ")
    assert "RAD (9 values)" in done.stderr


def test_a_folder_of_parts_is_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`infer FOLDER` reads all parts, CSV and Parquet, as one table."""
    raw = table(rooms=["2", "3", "7"])
    raw.iloc[:30].to_csv(tmp_path / "a.csv", index=False)
    raw.iloc[30:].astype({"rooms": int}).to_parquet(tmp_path / "b.parquet", index=False)
    print_inferred(tmp_path, "price")
    out = capsys.readouterr()
    assert yaml.safe_load(out.out)["columns"]["rooms"]["dtype"] == "int"
    assert f"{tmp_path}: 60 rows" in out.err


def test_a_command_that_fails_says_why_in_one_line() -> None:
    """An error ends with exit code 1 and one line, no traceback and nothing on stdout."""
    done = command("infer", HOUSING)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert done.stderr.startswith("error: which column is to be predicted? Add --target NAME")


def test_a_file_that_is_no_table_is_named(folder: Path) -> None:
    """A file that is absent, or neither CSV nor Parquet, is an error that says what to give."""
    Path("notes.txt").write_text("no table")
    with pytest.raises(PipelineError, match=r"notes.txt is neither a .csv nor a .parquet file"):
        print_inferred(Path("notes.txt"), "x")
    with pytest.raises(PipelineError, match=r"absent.csv is missing: name a .csv or .parquet file"):
        print_inferred(Path("absent.csv"), "x")
    with pytest.raises(PipelineError, match=r"holds no .csv or .parquet file"):
        print_inferred(folder, "x")
    with pytest.raises(PipelineError, match=r"absent.yaml is missing"):
        check(Path("absent.yaml"))


def test_check_describes_the_shipped_schema(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check` prints a line for each column, what decides the split, and that the raw table has every column."""
    monkeypatch.chdir(ROOT)
    lines = checked(capsys)
    assert lines[0] == "data/schema.yaml is valid: 14 columns, 13 features"
    room = next(line for line in lines if line.startswith("RM"))
    assert room.split("  ")[-1] == "must be there"
    assert "1 to 20" in room
    assert "test split: a hash of the features, so that equal rows stay together" in lines
    assert lines[-1] == "data/raw has all of these columns"


@pytest.mark.parametrize(
    ("roles", "test", "folds"),
    [
        ({}, "a hash of the features", "a hash of the features"),
        ({"id": "category"}, "a hash of k_id (role id)", "a hash of k_id (role id)"),
        ({"id": "category", "group": "int"}, "a hash of k_group (role group)", "a hash of k_group (role group)"),
        ({"time": "int", "id": "int"}, "the latest rows by k_time", "blocks of k_time"),
        ({"time": "int", "group": "int"}, "the latest rows by k_time", "a group is as late as its latest row"),
    ],
)
def test_check_says_what_decides_the_split(
    folder: Path, capsys: pytest.CaptureFixture[str], roles: dict[str, str], test: str, folds: str
) -> None:
    """The split is by the split column, the time, the group, the id or the features, the first that there is."""
    paths.RAW.rmdir()
    keyed = [Column(f"k_{role}", dtype, role=role) for role, dtype in roles.items()]  # type: ignore[arg-type]
    made = infer(table(), "price").schema
    paths.SCHEMA.write_text(to_yaml(Schema(1, made.source, (*made.columns, *keyed))))
    *_, by_test, by_fold, _, compared = checked(capsys)
    assert by_test.startswith(f"test split: {test}")
    assert by_fold.startswith("folds: ")
    assert folds in by_fold
    assert compared == "there is no data/raw here to compare it with"


def test_check_compares_the_raw_header(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A column that the raw table lacks is an error with the nearest name; one that only it has is listed; two files
    have the same columns."""
    raw = table(rooms=["2", "3"])
    paths.SCHEMA.write_text(to_yaml(infer(raw, "price").schema))
    raw.assign(extra="x").to_csv("data/raw/a.csv", index=False)
    assert checked(capsys)[-2:] == ["data/raw has all of these columns and others, which nothing reads:", "- extra"]
    raw.rename(columns={"rooms": "roms"}).to_csv("data/raw/b.csv", index=False)
    with pytest.raises(PipelineError, match=r"b\.csv and data/raw/a\.csv must have the same columns"):
        checked(capsys)
    Path("data/raw/a.csv").unlink()
    with pytest.raises(PipelineError, match=r"the raw table has no column rooms \(did you mean 'roms'\?\)"):
        checked(capsys)


def test_check_reads_headers_only(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check` compares headers and reads no rows: a broken row, which `clean` names, does not stop it."""
    paths.SCHEMA.write_text(to_yaml(infer(table(), "price").schema))
    rows = "1,2\n" * 2**20
    Path("data/raw/a.csv").write_text(f"size,price\n{rows}3\n")
    assert checked(capsys)[-1] == "data/raw has all of these columns"


def test_output_is_replaced_whole_or_not_at_all(folder: Path) -> None:
    """`--output FILE` replaces the file where the table can be described, and leaves it alone where it cannot."""
    paths.SCHEMA.write_text("the old schema")
    table(only=["1.5", "2"]).drop(columns="size").to_csv("table.csv", index=False)
    with pytest.raises(PipelineError, match="no column 'prise'"):
        print_inferred(Path("table.csv"), "prise", paths.SCHEMA)
    assert paths.SCHEMA.read_text() == "the old schema"
    print_inferred(Path("table.csv"), "price", paths.SCHEMA)
    assert schema.load(paths.SCHEMA).target.name == "price"
    assert [path.name for path in paths.SCHEMA.parent.iterdir() if path.is_file()] == ["schema.yaml"]


def test_one_is_not_plural(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One feature is `1 feature`, in `infer` and in `check`."""
    table().to_csv("data/raw/table.csv", index=False)
    print_inferred(paths.RAW, "price", paths.SCHEMA)
    said = capsys.readouterr()
    assert said.out == ""
    assert "60 rows, 2 columns: 1 feature, target price" in said.err
    assert checked(capsys)[0] == "data/schema.yaml is valid: 2 columns, 1 feature"


def test_a_column_without_a_name_is_shown_by_its_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Columns without a name are called by their place in every message that lists a header."""
    table(**{"": ["1", "2"]}).to_csv("data/raw/table.csv", index=False)
    print_inferred(paths.RAW, "price", paths.SCHEMA)
    assert "column 2" in capsys.readouterr().err
    assert checked(capsys)[-1] == "- (column 2 has no name)"
    with pytest.raises(PipelineError, match=r"data/raw has size, \(column 2 has no name\), price"):
        print_inferred(paths.RAW, "")
    Path("data/raw/table.csv").write_text("a,,\n1,2,3\n")
    with pytest.raises(PipelineError, match="columns 2, 3 have no name"):
        print_inferred(paths.RAW, "a")
