"""Commands of this project and of DVC, run as modules by the interpreter that runs this one."""

import os
import subprocess
import sys
from collections.abc import Mapping

from pipeline.contract.errors import PipelineError


def run(module: str, *arguments: str, ok: tuple[int, ...] = (0,), **environment: str) -> int:
    """Run `python -m module` with its output in plain sight, under more environment variables; return its exit code.

    Raises PipelineError for an exit code that is not among `ok`.
    """
    command = [sys.executable, "-m", module, *arguments]
    code = subprocess.run(command, env=os.environ | environment, check=False).returncode
    if code not in ok:
        raise PipelineError(f"`python -m {' '.join((module, *arguments))}` ended with exit code {code}; see above")
    return code


def capture(
    module: str, *arguments: str, text: str | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -m module` and return its exit code and output; `text` is its standard input."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        input=text,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
