"""Every benchmark, a table each: `python -m bench`, or `make bench`; `python -m bench gate` prints that one alone.

    python -m bench accuracy --splits 10 --table houses.csv price

Ratios against a peer measured in the same run: absolute times say more of the machine than of the code.
"""

import argparse
from functools import partial
from pathlib import Path

from bench import accuracy, accuracy_tables, drift, expected_error, gate, intervals, model_file, pipeline, serving, soak
from pipeline.contract import errors

TABLES = {
    "pipeline": pipeline.lines,
    "accuracy": accuracy.lines,
    "gate": gate.lines,
    "intervals": intervals.lines,
    "model": model_file.lines,
    "serving": serving.lines,
    "drift": drift.lines,
    "expected_error": expected_error.lines,
    "soak": soak.lines,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Run the benchmarks; each prints a table.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TABLES)}; without one, all of them")
    about = "accuracy: how often each table is split (default: %(default)s)"
    parser.add_argument("--splits", type=int, default=accuracy.SPLITS, help=about)
    about = "accuracy: a CSV or Parquet file and its column to predict, in place of the usual tables; may be repeated"
    parser.add_argument("--table", nargs=2, action="append", metavar=("FILE", "TARGET"), help=about)
    about = "soak: how long the server is disturbed (default: %(default)s)"
    parser.add_argument("--minutes", type=float, default=soak.MINUTES, help=about)
    arguments = parser.parse_args()
    names = arguments.names
    if unknown := set(names) - set(TABLES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
    if arguments.splits < 2:
        parser.error("--splits: expected at least 2, for one split shows no spread")
    own = [accuracy_tables.of_file(Path(file), target) for file, target in arguments.table or []]
    with_arguments = {
        "accuracy": partial(accuracy.lines, arguments.splits, own),
        "soak": partial(soak.lines, arguments.minutes),
    }
    for place, name in enumerate(names or TABLES):
        if place:
            print()
        for line in with_arguments.get(name, TABLES[name])():
            print(line, flush=True)


if __name__ == "__main__":
    errors.run_command(main)
