"""The gate: may the model of this workspace replace the champion?

    python -m ops.gate --champion HEAD

Scores both, row by row, on today's test split. Exits 0 promote, 3 keep the champion, 4 inconclusive (the champion
stays), 1 could not decide. Each verdict is a line in metrics/history.jsonl.
"""

import argparse
import json

import msgspec

from pipeline.contract import errors, params
from pipeline.gate import render
from pipeline.gate.decision import EXIT_CODES
from pipeline.gate.judgement import judge
from pipeline.registry import history


def main() -> int:
    arguments = _arguments()
    limits = params.load("gate")
    if arguments.policy:
        limits = msgspec.structs.replace(limits, policy=arguments.policy)
    decision, hashes = judge(arguments.champion, limits, arguments.allow_contract_change)
    history.append({**hashes, **render.entry(decision)})
    if arguments.json:
        print(json.dumps(hashes | render.as_json(decision), indent=2))
    else:
        print(render.as_markdown(decision) if arguments.md else render.text(decision))
    return EXIT_CODES[decision.verdict]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops.gate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--champion", default="HEAD", metavar="REV", help="Git revision of the champion (default HEAD)")
    parser.add_argument("--policy", choices=["superior", "non_inferior"], help="in place of gate.policy")
    parser.add_argument("--allow-contract-change", action="store_true", help="refuse inputs that were accepted before")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--md", action="store_true", help="print Markdown")
    form.add_argument("--json", action="store_true", help="print the whole verdict as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    errors.run_command(main)
