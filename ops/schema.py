"""Write a first schema for a new table, or check and explain the one there is.

python -m ops.schema infer houses.csv --target price > data/schema.yaml
python -m ops.schema check
"""

import argparse
import sys
import textwrap
from pathlib import Path

from pipeline.contract import errors, paths, schema
from pipeline.contract.errors import PipelineError
from pipeline.contract.schema import Schema
from pipeline.contract.yaml_config import nearest
from pipeline.profiling.inferred_schema import infer
from pipeline.profiling.schema_text import explain, to_yaml
from pipeline.tables import raw_table, sources

WIDTH = 118


def write_first(file: Path, target: str | None) -> None:
    """The YAML on stdout, what a person should look at on stderr."""
    _check_file(file)
    if not target:
        names = ", ".join(raw_table.column_names(sources.list_sources(file)[0]))
        raise PipelineError(f"which column is to be predicted? Add --target NAME; {file} has {names}")
    raw = raw_table.read(file)
    found, remarks = infer(raw, target)
    print(to_yaml(found), end="")
    ignored = len(found.columns) - len(found.used)
    counts = f"{len(found.features)} features{f', {ignored} ignored' if ignored else ''}, target {target}"
    print(f"{file}: {len(raw):,} rows, {raw.shape[1]} columns: {counts}. Look at:", file=sys.stderr)
    topics: dict[str, list[str]] = {}
    for remark in remarks:
        named = f"{remark.name} ({remark.detail})" if remark.detail else remark.name
        topics.setdefault(remark.topic, []).extend([named] if named else [])
    for topic, items in topics.items():
        print(_wrapped(f"{topic}: {'; '.join(items)}" if items else topic), file=sys.stderr)


def check(path: Path) -> None:
    """The schema explained on stdout, after comparing it with the raw parts where there are any."""
    checked = schema.load(path)
    extra = _compare(checked, path) if paths.RAW.is_dir() else None
    print(f"{path} is valid: {len(checked.columns)} columns, {len(checked.features)} features\n")
    print(*explain(checked), "", sep="\n")
    if extra is None:
        print(f"there is no {paths.RAW} here to compare it with")
    else:
        print(f"{paths.RAW} has all of these columns{' and others, which nothing reads:' if extra else ''}")
        print(*map(_wrapped, extra), sep="\n", end="\n" if extra else "")


def _check_file(file: Path) -> None:
    if not file.exists():
        raise PipelineError(f"{file} is missing: name a .csv or .parquet file, or a folder of such files")
    if not file.is_dir() and file.suffix.lower() not in (".csv", ".parquet"):
        raise PipelineError(f"{file} is neither a .csv nor a .parquet file: convert it, or rename it if it is one")


def _compare(checked: Schema, path: Path) -> list[str]:
    """The columns of the raw parts that the schema does not know.

    Raises PipelineError for columns that a part lacks, with the nearest that it has.
    """
    extra: dict[str, None] = {}
    known = {column.name for column in checked.columns}
    for part in sources.list_sources():
        header = raw_table.column_names(part)
        unknown = [name for name in header if name not in known]
        if missing := [column.name for column in checked.used if column.name not in header]:
            names = ", ".join(f"{name}{nearest(name, unknown)}" for name in missing)
            raise PipelineError(f"{part} has no column {names}, which {path} describes: correct the one or the other")
        extra |= dict.fromkeys(unknown)
    return list(extra)


def _wrapped(text: str) -> str:
    return textwrap.fill(
        " ".join(text.split()), WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False
    )


def _arguments() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m ops.schema", description=__doc__, formatter_class=form)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    inferring = commands.add_parser(
        "infer",
        help="print a first schema for a table",
        description="Print a first schema for a table as YAML, and on stderr what a person should look at.",
        epilog="example:\n  python -m ops.schema infer houses.csv --target price > data/schema.yaml",
        formatter_class=form,
    )
    inferring.add_argument("file", type=Path, metavar="FILE", help="a .csv or .parquet file, or a folder of such parts")
    inferring.add_argument("--target", metavar="NAME", help="the column to predict; it must hold numbers")
    checking = commands.add_parser(
        "check",
        help="check and explain a schema",
        description=f"Check a schema, explain it, and compare it with the header of the parts in {paths.RAW}.",
        epilog="example:\n  python -m ops.schema check data/schema.yaml",
        formatter_class=form,
    )
    checking.add_argument(
        "path", type=Path, nargs="?", default=paths.SCHEMA, metavar="PATH", help="default: %(default)s"
    )
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    if arguments.command == "infer":
        write_first(arguments.file, arguments.target)
    else:
        check(arguments.path)


if __name__ == "__main__":
    errors.run_command(main)
