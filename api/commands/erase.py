"""Erase the predictions with one id, and their feedback, from the prediction log. The server may run meanwhile.

python -m api.commands.erase 01a20ac1ef3d748aa9067a5652a14be9
"""

import argparse

from api import settings
from api.prediction_log import queries
from api.prediction_log.database import existing
from pipeline.contract import errors
from pipeline.contract.errors import PipelineError


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m api.commands.erase",
        description="Erase the predictions with one id, and their feedback, from the log at PREDICTION_LOG_URL.",
    )
    parser.add_argument("id", metavar="ID", help="the id of an answer, or the caller's own id")
    given = parser.parse_args().id
    predictions, feedback = queries.erase(existing(settings.load().prediction_log_url), given)
    if not predictions:
        raise PipelineError(f"no prediction in the log has the id {given!r}; nothing was erased")
    print(f"erased: {predictions} predictions, {feedback} feedback values; exported files stay")


if __name__ == "__main__":
    errors.run_command(main)
