"""Scoring whole tables: each row as the server answers it, in memory that does not grow."""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from api.commands import score
from pipeline.contract import errors
from tests.api.conftest import Client, Example, row, table_of
from tests.api.http.test_predict import bodies
from tests.api.test_server import ROOT, environment

ANSWERS = ["prediction", "lower", "upper"]
ROUNDING = 1e-12  # the runtime's sums of a row end otherwise in a batch of another size


def run(example: Example, *arguments: Path | str, code: int = 0) -> str:
    """Return the command's stderr. It runs in this process, because the start of another takes longest."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said):
        patch.setattr(sys, "argv", ["api.commands.score", *map(str, arguments), "--model", str(example.path)])
        with pytest.raises(SystemExit) as ended:
            errors.run_command(score.main)
    # An exit with a text prints it and exits 1.
    text = f"{ended.value.code}\n" if isinstance(ended.value.code, str) else ""
    assert (1 if text else ended.value.code or 0) == code, said.getvalue() + text
    return said.getvalue() + text


def run_on_dask(example: Example, *arguments: Path, code: int = 0) -> str:
    """Return the stderr of the command with --engine dask, in a process of its own as its workers are."""
    command = [sys.executable, "-m", "api.commands.score", *map(str, arguments), "--model", str(example.path)]
    command += ["--engine", "dask"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr


def read(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


@pytest.mark.parametrize("source", ["typed.parquet", "text.csv"])
@pytest.mark.parametrize("target", ["out.parquet", "out.csv"])
def test_each_row_is_answered_as_by_the_server(
    example: Example, fresh: Client, tmp_path: Path, source: str, target: str
) -> None:
    """Each row, typed or as text, has the answer of POST /predict/batch, under its own id."""
    table = example.table.head(150)
    table.to_parquet(tmp_path / "typed.parquet")
    table_of(200).loc[table["row"]].to_csv(tmp_path / "text.csv", index=False)
    said = run(example, tmp_path / source, tmp_path / target)
    assert f"{target}: 150 rows by {example.path}: linear" in said
    assert "0 with an error" in said
    scored = read(tmp_path / target)
    assert list(scored) == ["listing id", *ANSWERS, "error"]
    assert list(scored["listing id"]) == list(table["listing id"])
    assert scored["error"].isna().all()
    answers = fresh.post("/predict/batch", json=bodies(example, table)).json()
    wanted = [[answer[name] for name in ANSWERS] for answer in answers]
    np.testing.assert_allclose(scored[ANSWERS], wanted, rtol=ROUNDING)


# Changes of a valid row that the server refuses, and the field and reason in the file.
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"area": None}, "area m²: missing value; expected a number from 10 to 500 (square metres)"),
    ({"area": 5.0}, "area m²: out of bounds '5.0'; expected a number from 10 to 500 (square metres)"),
    ({"rooms": 2.5}, "rooms: unparseable '2.5'; expected a whole number from 1 to 10"),
    ({"rooms": "many"}, "rooms: unparseable 'many'; expected a whole number from 1 to 10"),
    ({"garden": 2}, "garden?: unparseable '2'; expected true or false (or 1 or 0), or null"),
    ({"distrito": "Norte"}, "distrito: unknown category 'Norte'; expected one of Centro, Ñuñoa, San José: este"),
    ({"slope": 1e39}, "slope: out of bounds '1e+39'; expected a number of at most"),
]


def test_what_the_server_refuses_is_an_error_in_its_row(example: Example, fresh: Client, tmp_path: Path) -> None:
    """A row that POST /predict refuses has the reason and no answer; its neighbours are scored."""
    sent = [row(), *(row(**change) for change, _ in WRONG), row(slope=None, garden=None)]
    pd.DataFrame(sent, dtype=object).to_csv(tmp_path / "in.csv", index=False)
    said = run(example, tmp_path / "in.csv", tmp_path / "out.parquet")
    scored = read(tmp_path / "out.parquet")
    assert list(scored["row"]) == list(range(len(sent)))
    assert "9 rows" in said
    assert "7 with an error: rooms unparseable 2, " in said
    for body, (_, line) in zip(sent, scored.iterrows(), strict=True):
        answer = fresh.post("/predict", json=body)
        if answer.status_code == 200:
            assert pd.isna(line["error"])
            wanted = [answer.json()[name] for name in ANSWERS]
            np.testing.assert_allclose(line[ANSWERS].to_list(), wanted, rtol=ROUNDING)
        else:
            assert answer.status_code == 422
            assert line["error"].startswith(f"{answer.json()['errors'][0]['field']}: ")
            assert line[ANSWERS].isna().all()
    for (_, text), found in zip(WRONG, scored["error"][1:-1], strict=True):
        assert found.startswith(text)


def test_a_cell_is_read_as_the_server_reads_it(example: Example, fresh: Client, tmp_path: Path) -> None:
    """Cells as pandas and people write them (1.0 for the category 1, yes, space at the end, NA) have the answers of the
    plain values, in a CSV file and in JSON."""
    written = {"heating": "1.0", "garden": "yes", "distrito": "Centro ", "slope": "NA", "rooms": "3.0", "area": " 100"}
    plain = {"heating": "1", "garden": True, "distrito": "Centro", "slope": None, "rooms": 3, "area": 100}
    pd.DataFrame([row(**written), row(**plain)], dtype=object).to_csv(tmp_path / "in.csv", index=False)
    run(example, tmp_path / "in.csv", tmp_path / "out.parquet")
    scored = read(tmp_path / "out.parquet")[ANSWERS]
    answers = fresh.post("/predict/batch", json=[row(**written), row(**plain), row(**plain | {"heating": 1})]).json()
    wanted = [[answer[name] for name in ANSWERS] for answer in answers]
    assert wanted[0] == wanted[1] == wanted[2]
    np.testing.assert_allclose(scored, wanted[:2], rtol=ROUNDING)


@pytest.fixture
def parts(example: Example, tmp_path: Path) -> Path:
    """A folder with two CSV parts and one of Parquet, without an id and with a wrong row in each."""
    folder = tmp_path / "parts"
    folder.mkdir()
    table = example.table.head(90).drop(columns=["row", "fold", "listing id", "slope"])
    table.loc[table.index[::30], "rooms"] = 99
    table[:30].to_parquet(folder / "a.parquet", index=False)
    table["sold"] = table["sold"].dt.strftime("%d/%m/%Y")  # as the schema says of text
    table[30:60].to_csv(folder / "b.csv", index=False)
    table[60:].to_csv(folder / "c.csv", index=False)
    (folder / "notes.txt").write_text("no table")
    table.to_csv(tmp_path / "whole.csv", index=False)
    return folder


def test_parts_are_one_table(example: Example, tmp_path: Path, parts: Path) -> None:
    """A folder's CSV and Parquet parts are scored in the order of their names. Without an id the rows are numbered. A
    nullable column may be absent, and is named."""
    said = run(example, parts, tmp_path / "parts.parquet")
    assert "the table has no column slope: missing in all rows" in said
    assert "3 with an error: rooms out of bounds 3" in said
    run(example, tmp_path / "whole.csv", tmp_path / "whole.parquet")
    assert (tmp_path / "parts.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert list(read(tmp_path / "parts.parquet")["row"]) == list(range(90))


@pytest.mark.slow
def test_dask_scores_the_same(example: Example, tmp_path: Path, parts: Path) -> None:
    """With --engine dask OUT is a folder of parts with the same rows and counts; an error leaves nothing behind."""
    for target in ("out.parquet", "out.csv"):
        said = [run(example, parts, tmp_path / target), run_on_dask(example, parts, tmp_path / f"dask.{target}")]
        assert said[0].splitlines()[-1] == said[1].splitlines()[-1]
        made = sorted((tmp_path / f"dask.{target}").iterdir())
        assert [path.name for path in made] == [f"part-{n:05}{Path(target).suffix}" for n in range(3)]
        found = pd.concat(map(read, made), ignore_index=True)
        pd.testing.assert_frame_equal(found, read(tmp_path / target))
    (parts / "d.parquet").write_bytes(b"PAR1")
    failed = run_on_dask(example, parts, tmp_path / "none.csv", code=1)
    assert f"error: {parts / 'd.parquet'} is no readable Parquet file" in failed
    assert not list(tmp_path.glob("none*"))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("in.csv", b"area m\xc2\xb2,rooms\n1,2,3\n", "no column distrito"),
        ("in.csv", "area m²,rooms,distrito\n100,2,Centro\n100,2\n".encode(), "row 3 (the header is row 1) has 2 cells"),
        ("in.csv", "area m²,rooms,distrito\n5,2,Centro\n".encode(), "none of its 1 rows could be scored: area m²"),
        ("in.csv", "area m²,rooms,distrito\n".encode(), "none of its 0 rows could be scored"),
        ("in.csv", b"<!DOCTYPE html><html>", "an HTML or XML page"),
        ("in.parquet", b"PAR1", "no readable Parquet file"),
        ("elsewhere.csv", b"", "No such file"),
    ],
)
def test_what_cannot_be_scored_leaves_the_last_result(
    example: Example, tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    """If IN is no table of the model or all rows are refused, one message says why and OUT stays."""
    (tmp_path / name.replace("elsewhere", "in")).write_bytes(content)
    (tmp_path / "out.csv").write_text("the last one")
    said = run(example, tmp_path / name, tmp_path / "out.csv", code=1)
    assert said.splitlines()[-1].startswith("error: ")
    assert reason in said
    assert (tmp_path / "out.csv").read_text() == "the last one"
    assert len(list(tmp_path.iterdir())) == 2


def test_the_place_of_out_is_checked_first(example: Example, tmp_path: Path) -> None:
    """OUT is a .csv or .parquet that is neither IN nor one of its parts."""
    example.table.to_parquet(tmp_path / "in.parquet")
    before = (tmp_path / "in.parquet").read_bytes()
    assert "ends in .csv or .parquet" in run(example, tmp_path / "in.parquet", tmp_path / "out.txt", code=1)
    assert "write it elsewhere" in run(example, tmp_path / "in.parquet", tmp_path / "in.parquet", code=1)
    assert "write it elsewhere" in run(example, tmp_path, tmp_path / "out.parquet", code=1)
    assert (tmp_path / "in.parquet").read_bytes() == before


# VmHWM is of this process alone; getrusage tells that of the process which started it where that was larger.
PEAK = (
    "import re; from pathlib import Path; from api.commands.score import main; main();"
    "print(int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) / 1024)"
)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_memory_does_not_grow_with_the_rows(example: Example, tmp_path: Path, suffix: str) -> None:
    """Ten times as many rows, 2,000,000, take at most 60 MB more at the peak."""
    table = example.table.drop(columns=["row", "fold"])
    some = pd.concat([table] * (200_000 // len(table) + 1), ignore_index=True).head(200_000)
    peaks = []
    for times in (1, 10):
        source = tmp_path / f"{times}{suffix}"
        many = pd.concat([some] * times, ignore_index=True)
        many.to_parquet(source) if suffix == ".parquet" else many.to_csv(source, index=False)
        command = [sys.executable, "-c", PEAK, str(source), str(tmp_path / "out.parquet"), "--model", str(example.path)]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        assert f"{times * 200_000:,} rows" in done.stderr
        peaks.append(json.loads(done.stdout))
    print(f"{suffix}: {peaks[0]:.0f} MB, {peaks[1]:.0f} MB")
    assert peaks[1] < peaks[0] + 60, peaks
