"""Every benchmark, a table each: `python -m bench`, or `make bench`; `python -m bench gate` prints that one alone.

Ratios against a peer measured in the same run: absolute times say more of the machine than of the code.
"""

import argparse

from bench import drift, gate, intervals, pipeline, serving

TABLES = {
    "pipeline": pipeline.lines,
    "gate": gate.lines,
    "intervals": intervals.lines,
    "serving": serving.lines,
    "drift": drift.lines,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Run the benchmarks; each prints a table.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TABLES)}; without one, all of them")
    names = parser.parse_args().names
    if unknown := set(names) - set(TABLES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
    for place, name in enumerate(names or TABLES):
        if place:
            print()
        for line in TABLES[name]():
            print(line, flush=True)


if __name__ == "__main__":
    main()
