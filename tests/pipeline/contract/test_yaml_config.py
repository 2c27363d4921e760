"""Parameters and schema: a mistake is named with file, key, value and what is allowed."""

import re
from pathlib import Path

import pytest

from pipeline.contract import params, schema
from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Clean, Select
from tests.conftest import ROOT


def edited(tmp_path: Path, name: str, old: str, new: str) -> Path:
    text = (ROOT / name).read_text()
    assert old in text
    path = tmp_path / Path(name).name
    path.write_text(text.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "section", "said"),
    [
        ("  min_rows: 50\n", "  min_row: 50\n", "clean", r"unknown key 'min_row' \(did you mean 'min_rows'\?\)"),
        ("  folds: 5\n", "", "clean", "the key 'folds' is missing"),
        ("folds: 5", "folds: 1", "clean", "'folds': expected int >= 2, found 1"),
        ("folds: 5", "folds: five", "clean", "'folds': expected int, got str, found 'five'"),
        ("test_fraction: 0.2", "test_fraction: 1", "clean", "'test_fraction': expected float < 1.0, found 1"),
        ("rule: blend", "rule: max", "select", "'rule': expected one of blend, min, one_se, found 'max'"),
        ("alpha: [0.1, 1, 10, 100]", "alpha: []", "train", "'families': .*length >= 1"),
        ("clean:", "cleen:", "train", r"unknown section 'cleen' \(did you mean 'clean'\?\)"),
        ("evaluate:\n", "evaluate: 3\nx:\n", "evaluate", "unknown section 'x'"),
        (
            "alpha: [0.1, 1, 10, 100]",
            "alpha: 5",
            "train",
            r"'families.ridge.alpha': .* 5; .*alpha=\[5\]",
        ),
        ("exclude: []", "exclude: B", "features", r"'exclude': expected a list, found 'B'; write exclude: \[B\]"),
        ("  seed: 42", "  seed: 42\n  seed: 43", "train", "the key 'seed' is repeated"),
    ],
)
def test_a_wrong_parameter_is_named(tmp_path: Path, old: str, new: str, section: str, said: str) -> None:
    """An unknown, missing, mistyped or repeated parameter is an error that names it."""
    with pytest.raises(PipelineError, match=said):
        params.load(section, edited(tmp_path, "params.yaml", old, new))


def test_numbers_are_read_as_dvc_writes_them(tmp_path: Path) -> None:
    """`1e-05`, which DVC writes into params.yaml, is a number."""
    path = edited(tmp_path, "params.yaml", "onnx_tolerance: 0.0001", "onnx_tolerance: 1e-05")
    assert params.load(Select, path).onnx_tolerance == 1e-5


def test_a_section_is_frozen_and_named_by_class_or_name() -> None:
    """`load(Clean)` and `load("clean")` give the same parameters, which nothing can change."""
    loaded = params.load(Clean, ROOT / "params.yaml")
    assert loaded == params.load("clean", ROOT / "params.yaml")
    with pytest.raises(AttributeError):
        loaded.folds = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("dtype: float, unit: rooms", "dtype: flaot", "column 'RM': key 'dtype': expected one of float, int"),
        ("unit: rooms, ", "units: rooms, ", r"column 'RM': unknown key 'units' \(did you mean 'unit'\?\)"),
        ("min: 1, max: 20}", "min: 20, max: 1}", "column 'RM': key 'min': expected at most max = 1.0, found 20.0"),
        ("min: 1, max: 20}", "min: .nan}", "column 'RM': key 'min': expected a finite bound"),
        (", role: target", "", "expected one column with role target, found none"),
        ("  RM: {", "  row: {", "column 'row': the name is reserved"),
        ("  RM: {", "  5: {", "column 5: a column's name must be text"),
        ("version: 1", "version: 2", "key 'version': expected one of 1, found 2"),
        ("  licence:", "  license:", r"source: unknown key 'license' \(did you mean 'licence'\?\)"),
        ("dtype: bool, ", "dtype: category, ", "column 'CHAS': key 'categories': expected the list"),
        ("dtype: bool, ", "dtype: bool, categories: [a], ", "only for dtype category, found with dtype bool"),
        (
            "dtype: bool, ",
            "dtype: category, categories: [NO, a], ",
            "'categories': write 'NO' with its quotes",
        ),
        (
            "dtype: bool, ",
            "dtype: category, categories: [a, 007], ",
            "write '007' with its quotes; .* as 7",
        ),
        ("dtype: bool, ", "dtype: category, categories: [a, ~], ", "write '~' with its quotes; .* as null"),
        ("dtype: bool, ", "dtype: category, categories: a, ", r"'categories': expected a list, found 'a'; .*\[a\]"),
        ("dtype: bool, ", "dtype: category, categories: ['1', '1.0'], ", "'categories': the value '1' is listed twice"),
        ("unit: rooms, ", "missing: [-999], ", "column 'RM': key 'missing': write '-999' with its quotes"),
        ("unit: rooms, ", "missing: ['?', ' ? '], ", "'missing': the value '[?]' is listed twice"),
        (
            "dtype: bool, ",
            "dtype: category, categories: [a], missing: [a], ",
            "'a' is one of the categories",
        ),
        ("dtype: bool, ", "dtype: category, categories: [a], other: b, ", "'other': expected one of a, found 'b'"),
        ("unit: rooms, ", "other: a, ", "'other': expected one of the categories, found 'a'"),
        ("RAD: {", "RAD: {role: id, nullable: true, ", "role id must be nullable: false"),
        ("RM: {", "RM: {parts: [month], ", "'parts': only for dtype datetime, found with dtype float"),
        (
            "RM: {dtype: float",
            "RM: {parts: [moon], dtype: datetime",
            "'parts': expected a list of year, month, weekday,",
        ),
        ("RM: {dtype: float", "RM: {parts: [hour, hour], dtype: datetime", "expected each part once, found hour, hour"),
        ("RM: {dtype: float", "RM: {dtype: datetime", "'min': expected a finite bound of a float or int column"),
        ("RM: {dtype: float", "RM: {format: '%d/%m', dtype: datetime", "'format': expected a year .*, found '%d/%m'"),
        ("RM: {dtype: float", "RM: {format: '%Q %Y', dtype: datetime", "'format': expected a year .*, found '%Q %Y'"),
        ("CHAS: {dtype: bool", "CHAS: {role: group, dtype: datetime", "role group must be int or category"),
        ("RM: {", "RM: {role: id, ", "role id must be int, or category without"),
        ("CHAS: {", "CHAS: {role: time, ", "role time must be datetime, int or float, or category without"),
        ("CHAS: {", "CHAS: {role: split, ", "role split must be category with the categories train and test"),
        ("RM: {", "RM: {role: group, ", "role group must be int or category"),
    ],
)
def test_a_wrong_schema_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    """A schema error names the column, the key, the value and what is allowed; a role names the dtypes that suit it."""
    with pytest.raises(PipelineError, match=said):
        schema.load(edited(tmp_path, "data/schema.yaml", old, new))


def test_a_format_needs_quotes(tmp_path: Path) -> None:
    """A format of dates without quotes is no YAML; the message says what to do."""
    with pytest.raises(PipelineError, match=r"not readable YAML: .*: put quotes around text that begins with %"):
        schema.load(edited(tmp_path, "data/schema.yaml", "unit: rooms", "format: %d/%m/%Y"))


def test_a_part_of_a_date_and_a_column_have_different_names(tmp_path: Path) -> None:
    """A column may not be called as a part of a datetime is in the model's matrix."""
    date = "RM.hour: {dtype: float}\n  RM: {dtype: datetime}\n  AGE: {"
    text = (ROOT / "data/schema.yaml").read_text().replace("  AGE: {", f"  {date}")
    path = tmp_path / "schema.yaml"
    path.write_text(re.sub(r"(?m)^  RM: \{dtype: float.*\n", "", text))
    with pytest.raises(PipelineError, match=r"'RM.hour' is a column and a part of a datetime: rename the column"):
        schema.load(path)


def test_an_excluded_feature_stays_known() -> None:
    """An excluded feature is a column with role ignore; a misspelt name is an error with the nearest feature."""
    changed = schema.load(ROOT / "data/schema.yaml").excluding(("B",))
    assert [column.role for column in changed.columns if column.name == "B"] == ["ignore"]
    with pytest.raises(PipelineError, match=r"'LSTA' is no feature .*did you mean 'LSTAT'"):
        changed.excluding(("LSTA",))


def test_a_schema_in_utf_16_is_named(tmp_path: Path) -> None:
    """A redirect of Windows PowerShell writes UTF-16; the message says so. A byte-order mark of UTF-8 is fine."""
    text = (ROOT / "data/schema.yaml").read_text()
    path = tmp_path / "schema.yaml"
    path.write_text(text, encoding="utf-8-sig")
    assert schema.load(path) == schema.load(ROOT / "data/schema.yaml")
    path.write_text(text, encoding="utf-16")
    with pytest.raises(PipelineError, match=r"schema\.yaml is UTF-16, expected UTF-8: save it as UTF-8 .*PowerShell"):
        schema.load(path)
