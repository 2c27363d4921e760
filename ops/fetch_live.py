"""Fetch the exported live rows from LIVE_URL into data/live, the one folder that the drift check reads.

LIVE_URL=s3://BUCKET/live python -m ops.fetch_live
"""

import argparse

from pipeline.contract import errors
from pipeline.drift import live_folder


def main() -> None:
    argparse.ArgumentParser(prog="python -m ops.fetch_live", description=(__doc__ or "").splitlines()[0]).parse_args()
    live_folder.fetch(live_folder.url())


if __name__ == "__main__":
    errors.run_command(main)
