"""Judge whether the model of this workspace may replace the champion.

    python -m ops.gate --champion HEAD

Scores both, row by row, on today's test split, and adds a line to metrics/history.jsonl. Exits 0 promote, 3 keep the
champion, 4 inconclusive (the champion stays), 1 could not decide.
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
    limits = params.load(params.Gate)
    if arguments.policy:
        limits = msgspec.structs.replace(limits, policy=arguments.policy)
    decision = judge(arguments.champion, limits, arguments.allow_schema_change)
    history.append(render.entry(decision))
    if arguments.json:
        print(json.dumps(render.as_json(decision), indent=2))
    else:
        print(render.as_markdown(decision) if arguments.md else render.text(decision))
    return EXIT_CODES[decision.verdict]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops.gate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--champion", default="HEAD", metavar="REV", help="Git revision of the champion (default HEAD)")
    policies = ["superior", "probably_better", "non_inferior"]
    parser.add_argument("--policy", choices=policies, help="replaces gate.policy of params.yaml")
    parser.add_argument("--allow-schema-change", action="store_true", help="permit a model that refuses more inputs")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--md", action="store_true", help="print Markdown")
    form.add_argument("--json", action="store_true", help="print the whole verdict as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    errors.run_command(main)
