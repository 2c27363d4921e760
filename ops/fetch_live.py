"""Fetch the exported live rows from LIVE_URL into data/live, the one folder that the drift check reads.

LIVE_URL=s3://BUCKET/live python -m ops.fetch_live
"""

import argparse
import os

from pipeline.contract import errors, paths
from pipeline.contract.errors import PipelineError
from pipeline.drift import live_folder


def main() -> None:
    argparse.ArgumentParser(prog="python -m ops.fetch_live", description=(__doc__ or "").splitlines()[0]).parse_args()
    if not paths.LIVE.is_dir():
        raise PipelineError(f"{paths.LIVE} is missing: run this from the project's folder")
    if not os.environ.get("LIVE_URL"):
        raise PipelineError("LIVE_URL is not set: name the folder or bucket that the server's export writes")
    live_folder.fetch(os.environ["LIVE_URL"])


if __name__ == "__main__":
    errors.run_command(main)
