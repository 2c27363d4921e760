"""A model of an earlier revision, made again: in a temporary Git worktree, by that revision's own pipeline.

The worktree has a cache of its own: what is damaged or missing in this project's must not be used, and nothing of the
rebuilt run is left here.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError


def model_at(commit: str) -> bytes:
    """The file models/model.onnx that the pipeline of `commit` makes here and now.

    Says what goes on on stderr. Raises PipelineError where that pipeline fails; its own words are on stderr then.
    """
    say(f"rebuilding {paths.MODEL} of {commit} with `dvc repro select` in a temporary worktree")
    with _worktree(commit) as folder:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        code = _run([sys.executable, "-m", "dvc", "repro", "select"], folder, {**os.environ, "PATH": path})
        made = folder / paths.MODEL
        if code or not made.exists():
            raise PipelineError(f"`dvc repro select` at {commit} ended with exit code {code}; its output is above")
        return made.read_bytes()


@contextlib.contextmanager
def _worktree(commit: str) -> Iterator[Path]:
    """Of a commit; removed at the end, also after Ctrl-C and a polite kill."""
    with _interrupted_by_kill(), tempfile.TemporaryDirectory(prefix="rebuild-") as name:
        folder = Path(name) / "project"
        try:
            _git("worktree", "add", "--quiet", "--detach", str(folder), commit)
            yield folder
        finally:
            # Twice: an `add` that was interrupted leaves it locked.
            _git("worktree", "remove", "--force", "--force", str(folder), check=False)


@contextlib.contextmanager
def _interrupted_by_kill() -> Iterator[None]:
    """SIGTERM becomes an exception, so that what must be removed is."""

    def stop(number: int, frame: types.FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(command: list[str], folder: Path, env: dict[str, str]) -> int:
    """Run with all output on stderr, for stdout holds the verdict alone."""
    # A group of its own: DVC does not stop the stage that it runs, and that one would write on into the worktree.
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=sys.stderr, start_new_session=True)
    try:
        return process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
        process.wait()
        raise


def _git(*arguments: str, check: bool = True) -> None:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise PipelineError(f"`git {' '.join(arguments)}` failed: {done.stderr.strip()}")


def say(text: str) -> None:
    print(f"gate: {text}", file=sys.stderr, flush=True)
