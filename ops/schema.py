"""Infer a first schema for a new table, or check and describe the schema there is.

python -m ops.schema infer houses.csv --target price --output data/schema.yaml
python -m ops.schema check
"""

import argparse
import sys
import textwrap
from pathlib import Path

import pandas as pd

from pipeline.cleaning import validation
from pipeline.contract import errors, paths, schema
from pipeline.contract.errors import PipelineError
from pipeline.contract.wording import counted, titles
from pipeline.profiling.inferred_schema import infer
from pipeline.profiling.schema_text import describe, to_yaml
from pipeline.tables import atomic_files, raw_table, sources

WIDTH = 118  # characters of a line that is printed


def print_inferred(file: Path, target: str | None, output: Path | None = None) -> None:
    """Print the YAML of an inferred schema, or replace the file `output` by it; print on stderr what a person should
    check in it."""
    if not file.exists():
        raise PipelineError(f"{file} is missing: name a .csv or .parquet file, or a folder of such files")
    if not sources.table_files(file) and not file.is_dir():
        raise PipelineError(f"{file} is neither a .csv nor a .parquet file: convert it, or rename it if it is one")
    if not target:
        names = ", ".join(titles(raw_table.column_names(sources.list_sources(file)[0])))
        raise PipelineError(f"which column is to be predicted? Add --target NAME; {file} has {names}")
    raw = raw_table.read(file)
    inferred, remarks = infer(raw, target)
    if output:
        atomic_files.write_text(output, to_yaml(inferred))
    else:
        print(to_yaml(inferred), end="")
    ignored = len(inferred.columns) - len(inferred.used)
    size = f"{counted(len(raw), 'row')}, {counted(raw.shape[1], 'column')}"
    counts = f"{counted(len(inferred.features), 'feature')}{f', {ignored} ignored' if ignored else ''}, target {target}"
    print(f"{file}: {size}: {counts}. Check:", file=sys.stderr)
    topics: dict[str, list[str]] = {}
    for remark in remarks:
        named = f"{remark.name} ({remark.detail})" if remark.detail else remark.name
        topics.setdefault(remark.topic, []).extend([named] if named else [])
    for topic, columns in topics.items():
        print(_wrapped(f"{topic}: {'; '.join(columns)}" if columns else topic), file=sys.stderr)


def check(path: Path) -> None:
    """Print a description of the schema, after comparing it with the headers of the raw files where there are any."""
    checked = schema.load(path)
    if paths.RAW.is_dir():
        files = sources.list_sources()
        headers = [raw_table.column_names(file) for file in files]
        raw_table.check_same_columns(headers, files)
        validation.check_columns(pd.DataFrame(columns=headers[0]), checked)
        known = {column.name for column in checked.columns}
        named = zip(headers[0], titles(headers[0]), strict=True)
        extra = [_wrapped(title) for name, title in named if name not in known]
        compared = [
            f"{paths.RAW} has all of these columns{' and others, which nothing reads:' if extra else ''}",
            *extra,
        ]
    else:
        compared = [f"there is no {paths.RAW} here to compare it with"]
    size = f"{counted(len(checked.columns), 'column')}, {counted(len(checked.features), 'feature')}"
    print(f"{path} is valid: {size}\n")
    print(*describe(checked), "", *compared, sep="\n")


def _wrapped(text: str) -> str:
    one_line = " ".join(text.split())
    return textwrap.fill(one_line, WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False)


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m ops.schema", description=__doc__, formatter_class=form)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    about = "print a first schema for a table as YAML, and on stderr what to check in it"
    inferring = commands.add_parser("infer", help=about, description=about)
    inferring.add_argument("file", type=Path, help="a .csv or .parquet file, or a folder of such files")
    inferring.add_argument("--target", metavar="NAME", help="the column to predict; it must hold numbers")
    inferring.add_argument(
        "--output", type=Path, metavar="FILE", help=f"write the schema here, such as {paths.SCHEMA}; default: print it"
    )
    about = f"check and describe a schema, and compare it with the headers of the files in {paths.RAW}"
    checking = commands.add_parser("check", help=about, description=about)
    checking.add_argument("path", type=Path, nargs="?", default=paths.SCHEMA, help="default: %(default)s")
    arguments = parser.parse_args()
    if arguments.command == "infer":
        print_inferred(arguments.file, arguments.target, arguments.output)
    else:
        check(arguments.path)


if __name__ == "__main__":
    errors.run_command(main)
