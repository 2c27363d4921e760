"""Manage the champion: promote and rollback are the only commands that change what production serves.

`python -m ops.registry --help` lists the commands, `python -m ops.registry COMMAND --help` their options.
"""

import argparse
from pathlib import Path

from pipeline.contract import errors
from pipeline.registry import challenger, champion_file, lock, promotion, signing


def main() -> None:
    arguments = _arguments()
    if arguments.command == "fetch":
        print(champion_file.fetch(arguments.rev, arguments.out))
        return
    commands = {
        "promote": lambda: promotion.promote(arguments.force),
        "rollback": lambda: promotion.rollback(arguments.to),
        "keep": challenger.keep,
        "restore": champion_file.restore,
        "sign": signing.sign_champion,
        "tag": promotion.tag,
    }
    with lock.held(arguments.command):
        print(commands[arguments.command]())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops.registry", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

    def command(name: str, sentence: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=sentence, description=sentence)

    promoting = command("promote", "Make models/model.onnx what production serves.")
    promoting.add_argument("--force", action="store_true", help="promote without a verdict; the history records it")
    returning = command("rollback", "Return to the version before.")
    returning.add_argument("--to", metavar="VERSION", help="a version, such as v1.0.0, in place of the one before")
    command("keep", "Keep models/model.onnx as a DVC experiment named after its verdict.")
    fetching = command("fetch", "Copy the champion of a version or revision to a file of its own.")
    fetching.add_argument("--rev", required=True, help="a version (v1.0.0), prod, or any Git revision")
    fetching.add_argument("--out", type=Path, default="models/fetched.onnx", help="default: %(default)s")
    command("restore", "Put the champion that HEAD records into the workspace, rebuilt if it is nowhere.")
    command("tag", "Tag the version that HEAD records; a template's champion that is nowhere is replaced first.")
    command("sign", "Sign the champion with the private key in MODEL_SIGNING_KEY.")
    return parser.parse_args()


if __name__ == "__main__":
    errors.run_command(main)
