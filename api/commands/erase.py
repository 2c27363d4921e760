"""Erase the predictions with one id, and their feedback, from the prediction log. The server may run meanwhile.

It then says which model files hold training rows: one of these may be the same person's.

python -m api.commands.erase 01a20ac1ef3d748aa9067a5652a14be9
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from api import settings
from api.prediction_log import queries
from api.prediction_log.database import existing
from pipeline.contract import errors
from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import Model
from pipeline.contract.paths import MODEL
from pipeline.contract.wording import counted


def carriers(folder: Path) -> Iterator[str]:
    """Describe each model file below the folder that has training rows in its metadata."""
    for path in sorted(folder.rglob("*.onnx")):
        try:
            about = Model.load(path).description
        except PipelineError as error:
            yield f"{path} could not be read: {error}"
            continue
        found = {
            "golden row": len(about.golden.features) if about.golden else 0,
            "background row": len(about.background),
            "comparable": len(about.comparables.rows) if about.comparables else 0,
        }
        if any(found.values()):
            yield f"{path}: {', '.join(counted(number, noun) for noun, number in found.items() if number)}"


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
    print("If the row was in a training table, these files may still hold it:", *carriers(MODEL.parent), sep="\n  ")
    print("  the model files of earlier versions (git tag --list)")
    print("and docs/operations.md says what to do (Erase a person's data).")


if __name__ == "__main__":
    errors.run_command(main)
