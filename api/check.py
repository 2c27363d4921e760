"""Is this model file servable? Loads it as the server would and replays its golden rows.

python -m api.check models/model.onnx
"""

import argparse
from pathlib import Path

from api import model, settings
from stages import errors


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m api.check", description="Check a model file as the server would; exits 1 where it is refused."
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="an .onnx file of this pipeline")
    print(model.summary(model.load(parser.parse_args().file, settings.load())))


if __name__ == "__main__":
    errors.run(main)
