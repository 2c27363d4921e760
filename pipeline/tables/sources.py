"""The files of a raw table: those in a folder, or URLs that a `.urls` file lists and fsspec opens."""

import io
import re
import sys
from pathlib import Path

from fsspec.core import url_to_fs

from pipeline.contract.errors import PipelineError
from pipeline.contract.paths import RAW

_WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls")

Source = Path | str  # a file, or the URL of one


def list_sources(folder: Path = RAW) -> list[Source]:
    """Return the files of a raw table in the order of their names; given a file and not a folder, that file alone.

    Raises PipelineError where there is none, or where a line of a `.urls` file is not a URL of a table.
    """
    files = table_files(folder, (".csv", ".parquet", ".urls"))
    sources: list[Source] = [
        source for path in files for source in (_urls(path) if path.suffix.lower() == ".urls" else [path])
    ]
    if not sources:
        raise PipelineError(f"{folder} holds no .csv or .parquet file: put the raw table there")
    return sources


def table_files(folder: Path, suffixes: tuple[str, ...] = (".csv", ".parquet")) -> list[Path]:
    """Return the files of these kinds in a folder, in the order of their names; given a file, that file alone.

    Raises PipelineError for an Excel workbook. Skips macOS's companions of files, `._*`, with a word on stderr.
    """
    files = []
    for path in sorted(folder.glob("*")) if folder.is_dir() else [folder]:
        suffix = path.suffix.lower()
        if suffix in _WORKBOOKS and not path.name.startswith("~$"):  # Excel's mark of an open workbook
            raise PipelineError(f"{path} is an Excel workbook: save the sheet as CSV, and use that file instead")
        if suffix in suffixes and path.name.startswith("._"):
            print(f"{path} is skipped: macOS keeps attributes of another file in it", file=sys.stderr)
        elif suffix in suffixes:
            files.append(path)
    return files


def is_csv(source: Source) -> bool:
    """Return True for a name that ends with .csv; every other file is Parquet."""
    return str(source).lower().endswith(".csv")


def open_source(source: Source) -> io.BufferedReader:
    """Open a file, or the file that a URL names, for reading bytes.

    Raises PipelineError where a URL cannot be opened.
    """
    if isinstance(source, Path):
        return source.open("rb")
    try:
        filesystem, name = url_to_fs(source)
        file: io.BufferedReader = filesystem.open(name, "rb")
    except ImportError as error:
        package = getattr(error.__cause__, "name", None) or error.name
        raise PipelineError(
            f"{source} cannot be opened: pip install {package}, also where Dask's workers run"
        ) from None
    except Exception as error:  # the protocol's package raises its own classes: network, access rights, a wrong name
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise PipelineError(f"{source} cannot be opened ({reason}): correct data/raw/*.urls, or give access") from None
    return file


def _urls(path: Path) -> list[Source]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    urls: list[Source] = [line for line in lines if line and not line.startswith("#")]
    for url in urls:
        if not re.match(r"[a-z0-9+]+://.+\.(csv|parquet)$", str(url), re.IGNORECASE):
            raise PipelineError(f"{path}: {url} is no URL of a .csv or .parquet file, such as s3://bucket/part.csv")
    return urls
