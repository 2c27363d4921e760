"""Repair what a killed `dvc repro` and experiments leave behind; `make repro` runs this first.

python -m ops.repair
"""

import argparse

from pipeline.contract import errors
from pipeline.registry import lock
from pipeline.registry.repair import repair


def main() -> None:
    argparse.ArgumentParser(prog="python -m ops.repair", description=(__doc__ or "").splitlines()[0]).parse_args()
    with lock.held("repair"):
        for sentence in repair():
            print(sentence)


if __name__ == "__main__":
    errors.run_command(main)
