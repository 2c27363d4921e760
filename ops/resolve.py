"""Finish a merge whose conflicts are in files that `dvc repro` makes, such as dvc.lock.

    python -m ops.resolve

Two locks cannot be merged line by line: the result would name inputs that never ran together. So this runs
`dvc repro` on the merged inputs, stages what it makes, and commits the merge with the message that Git prepared.
"""

import argparse

from pipeline.contract import errors
from pipeline.contract.errors import PipelineError
from pipeline.registry import git, lock, module_runner
from pipeline.registry.repair import repair


def resolve() -> str:
    """Return a line that says how it ended. Raises PipelineError where a person has to decide first."""
    if left := git.not_staged():
        raise PipelineError(
            f"nothing has run, because the merge does not hold {', '.join(left)} yet: edit where there are conflicts, "
            "`git add`, and run `make resolve` again"
        )
    for sentence in repair():
        print(sentence, flush=True)
    module_runner.run("dvc", "repro")
    return git.finish_merge()


def main() -> None:
    argparse.ArgumentParser(prog="python -m ops.resolve", description=(__doc__ or "").splitlines()[0]).parse_args()
    with lock.held("resolve"):
        print(resolve())


if __name__ == "__main__":
    errors.run_command(main)
