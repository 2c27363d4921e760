"""Run commands of this project, and DVC, as modules with the Python that runs this process."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from pipeline.contract.errors import PipelineError


def command(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def environment(**variables: str) -> dict[str, str]:
    """Return the environment with this Python first on PATH and `variables` set.

    DVC looks up `python` for a stage and `dvc` for a worker of its queue on PATH, where they need not be.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, **variables}


def run(module: str, *arguments: str, ok: tuple[int, ...] = (0,), **variables: str) -> int:
    """Run `python -m module` with its output shown; return its exit code.

    Raises PipelineError for an exit code that is not in `ok`.
    """
    code = subprocess.run(command(module, *arguments), env=environment(**variables), check=False).returncode
    if code not in ok:
        raise PipelineError(f"`python -m {' '.join((module, *arguments))}` ended with exit code {code}; see above")
    return code


def capture(
    module: str, *arguments: str, text: str | None = None, own_session: bool = False, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `python -m module` to its end, also after Ctrl-C; return its exit code and output.

    `text` is its standard input. With `own_session`, a signal to this process group does not reach it.
    The output goes through files: a pipe would stay open for what the module leaves running, as the workers of DVC's
    queue.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command(module, *arguments),
            stdin=None if text is None else subprocess.PIPE,
            stdout=out,
            stderr=said,
            env=environment(**variables),
            start_new_session=own_session,
            encoding="utf-8",
        )
        try:
            process.communicate(text)
        finally:
            code = process.wait()
        return subprocess.CompletedProcess(process.args, code, _text(out), _text(said))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
