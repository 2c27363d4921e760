"""Check that a model file is servable: load it as the server would and replay its golden rows.

python -m api.commands.check models/model.onnx
"""

import argparse
from pathlib import Path

from api import settings
from api.model import loader
from pipeline.contract import errors


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m api.commands.check",
        description="Check a model file as the server would; exits 1 where it is refused.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="an .onnx file of this pipeline")
    print(loader.summary(loader.load(parser.parse_args().file, settings.load())))


if __name__ == "__main__":
    errors.run_command(main)
