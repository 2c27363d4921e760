"""A model of an earlier revision, made again by that revision's own pipeline in a temporary Git worktree.

The worktree has a cache of its own: what is damaged or missing in this project's must not be used, and nothing of the
rebuilt run is left here.
"""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from pipeline.contract import dvc_records, paths
from pipeline.contract.errors import PipelineError
from pipeline.registry import git, module_runner


def model_at(commit: str, reason: str) -> tuple[bytes, str]:
    """Make models/model.onnx with the pipeline of `commit`; return its bytes and their md5.

    Says `reason` and the progress on stderr. Raises PipelineError where that pipeline fails; its output is on stderr.
    """
    report(reason)
    report(f"rebuilding {paths.MODEL} of {commit} with `dvc repro select` in a temporary worktree")
    # SIGTERM raises, as Ctrl-C does, so that the worktree is removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        tempfile.TemporaryDirectory(prefix="rebuild-") as name,
        git.worktree(commit, Path(name) / "project") as folder,
    ):
        code = _repro(folder)
        made = folder / paths.MODEL
        if code or not made.exists():
            raise PipelineError(f"`dvc repro select` at {commit} ended with exit code {code}; its output is above")
        content = made.read_bytes()
        return content, dvc_records.md5(content)


def report(text: str) -> None:
    """Print to stderr: stdout holds the verdict alone."""
    print(text, file=sys.stderr, flush=True)


def _repro(folder: Path) -> int:
    # A group of its own: DVC does not stop the stage that it runs, and that one would write on into the worktree.
    command, environment = module_runner.command("dvc", "repro", "select"), module_runner.environment()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=sys.stderr, start_new_session=True)
    try:
        return process.wait()
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
        process.wait()
        raise
