"""The Git commands that the project needs, run in the project's folder, which may be a subfolder of the repository.

Each leaves the user's other changes, staged or not, as they are.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.contract.errors import PipelineError

_UNKNOWN_USER = "Git does not know who you are: run `git config user.name NAME` and `git config user.email ADDRESS`"
# Git commands that must succeed before a commit, and the error where one fails.
NEEDED = {
    "rev-parse --git-dir": "this folder is in no Git repository: run this from the project's folder, or `git init`",
    "rev-parse --verify --quiet HEAD": "this repository has no commit yet: commit the project first",
    "symbolic-ref --quiet HEAD": "HEAD is on no branch, so a commit would be lost: run `git switch BRANCH`",
    "var GIT_COMMITTER_IDENT": _UNKNOWN_USER,
    "var GIT_AUTHOR_IDENT": _UNKNOWN_USER,
}
# Files in .git during an operation that a commit of ours would end or spoil.
UNFINISHED = {"MERGE_HEAD": "a merge", "CHERRY_PICK_HEAD": "a cherry-pick", "REVERT_HEAD": "a revert"}
PATIENCE = 3.0  # seconds; Git locks its index for milliseconds


def commit_of(revision: str) -> str:
    """Return the commit that a revision names. Raises PipelineError where it names none."""
    found = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found.returncode:
        raise PipelineError(
            f"{revision!r} is no revision of a Git repository here: name a commit, branch or tag, and run this from "
            "the project's folder"
        )
    return found.stdout.strip()


def show(revision: str, path: Path) -> str | None:
    """Return a file as it was at a revision; None where that revision has no such file."""
    shown = _git("show", f"{revision}:./{path.as_posix()}")
    return None if shown.returncode else shown.stdout


def last_change(path: Path, revision: str = "HEAD", form: str = "%aI") -> str | None:
    """Return the time (ISO 8601) of the last commit up to `revision` that changed a file, or another `form` of git log.

    None where there is no such commit, or no repository.
    """
    return _git("log", "-1", f"--format={form}", revision, "--", path.as_posix()).stdout.strip() or None


def commits_that_changed(path: Path) -> list[str]:
    """List the commits up to HEAD that changed a file, the last one first."""
    return _checked("log", "--format=%H", "HEAD", "--", path.as_posix()).split()


def tree(revision: str, folder: Path) -> str | None:
    """Return Git's hash of a folder's content at a revision; None where that revision has no such folder."""
    found = _git("rev-parse", "--verify", "--quiet", f"{revision}:./{folder.as_posix()}")
    return None if found.returncode else found.stdout.strip()


def merge_base(revision: str) -> str:
    """Return the last commit that HEAD and `revision` share. Raises PipelineError where there is none."""
    found = _git("merge-base", commit_of(revision), "HEAD")
    if found.returncode:
        raise PipelineError(f"HEAD and {revision} share no commit: fetch the whole history (`git fetch --unshallow`)")
    return found.stdout.strip()


def is_shallow() -> bool:
    """Return True where the clone lacks older commits, and with them versions."""
    return _file("shallow").exists()


def prefix() -> Path:
    """Return the project's folder as a path from the top of the repository."""
    return Path(_checked("rev-parse", "--show-prefix").strip())


@contextmanager
def worktree(commit: str, folder: Path) -> Iterator[Path]:
    """Check a commit out into `folder` and yield the project's folder in it; remove both at the end."""
    subfolder = prefix()
    try:
        _checked("worktree", "add", "--quiet", "--detach", str(folder), commit)
        yield folder / subfolder
    finally:
        # Forced twice: an `add` that was interrupted leaves it locked.
        _git("worktree", "remove", "--force", "--force", str(folder))


def check_ready() -> None:
    """Raise PipelineError, with the way out, where a commit could not be made or would not stay."""
    for command, message in NEEDED.items():
        if _git(*command.split()).returncode:
            raise PipelineError(message)
    for name, what in UNFINISHED.items():
        if _file(name).exists():
            raise PipelineError(f"{what} is under way: finish or abort it first (`git status` says how)")
    index = _file("index.lock")
    deadline = time.monotonic() + PATIENCE
    while index.exists():
        if time.monotonic() > deadline:
            raise PipelineError(f"{index} is there: another git runs, or was killed; if none runs, delete that file")
        time.sleep(0.05)


def changed(paths: Iterable[str]) -> list[str]:
    """Return the files under `paths` that differ from the last commit or are new; not those that Git ignores."""
    command = ("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", *paths)
    # An entry is two letters, a space, and the path from the top of the repository.
    return [f":(top,literal){entry[3:]}" for entry in _checked(*command).split("\0") if entry]


def generated() -> list[str]:
    """List the files that `dvc repro` makes and Git holds, or will hold: those with `-merge` in .gitattributes."""
    top, folder = _checked("rev-parse", "--show-toplevel", "--show-prefix").splitlines()
    # In the top folder: Git 2.39 finds no attributes from a subfolder, nor where the pattern has a path.
    command = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ":(attr:-merge)")
    listed = set(_checked("-C", top, *command).split("\0")) - {""}
    return sorted(name.removeprefix(folder) for name in listed if name.startswith(folder))


def not_staged() -> list[str]:
    """List what a commit of the index would leave out, generated files aside, as `params.yaml (in conflict)`."""
    known = {(prefix() / path).as_posix() for path in generated()}
    entries = _checked("status", "--porcelain", "-z", "--no-renames", "--untracked-files=no", "--", ".").split("\0")
    found = [(entry[:2], entry[3:]) for entry in entries if entry[1:2].strip() and entry[3:] not in known]
    # Two letters: the index and the workspace; `man git-status` lists those of a conflict.
    return [f"{path} ({'in conflict' if 'U' in at or at in ('AA', 'DD') else 'changed'})" for at, path in found]


def finish_merge() -> str:
    """Stage the generated files, and commit a merge with the message that Git prepared; return what is left to do."""
    _checked("add", "--all", "--", *generated())
    if not _file("MERGE_HEAD").exists():
        return "staged what the pipeline made; `git status` says how to go on"
    _checked("commit", "--quiet", "--no-edit", "--cleanup=strip", own_session=True)
    return f"merged: {_checked('log', '-1', '--format=%h %s').strip()}"


def commit(paths: Iterable[str], message: str) -> None:
    """Commit exactly these files of the workspace, and no other change; nothing where they are committed already."""
    files = changed(paths)
    if not files:
        return
    _checked("add", "--all", "--", *files)
    # A session of its own: a signal to our process group cannot stop Git half-way, which would leave its lock behind.
    _checked("commit", "--quiet", "--only", "--message", message, "--", *files, own_session=True)


def snapshot(paths: Iterable[str], message: str, reference: str) -> None:
    """Commit these files on top of HEAD under `reference`; branch, index and workspace do not move."""
    with tempfile.TemporaryDirectory() as folder:
        index = str(Path(folder) / "index")
        _checked("read-tree", "HEAD", GIT_INDEX_FILE=index)
        if files := changed(paths):
            _checked("add", "--all", "--", *files, GIT_INDEX_FILE=index)
        tree = _checked("write-tree", GIT_INDEX_FILE=index).strip()
    made = _checked("commit-tree", tree, "-p", "HEAD", "-m", message).strip()
    _checked("update-ref", reference, made)


def _file(name: str) -> Path:
    return Path(_checked("rev-parse", "--git-path", name).strip())


def _checked(*arguments: str, own_session: bool = False, **variables: str) -> str:
    """Return what a Git command prints. Raises PipelineError with its message where it fails."""
    done = _git(*arguments, own_session=own_session, **variables)
    if done.returncode:
        raise PipelineError(f"`git {arguments[0]}` failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _git(*arguments: str, own_session: bool = False, **variables: str) -> subprocess.CompletedProcess[str]:
    # Git's reading commands may write its index on the side; they need not.
    env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", **variables}
    command = ["git", *arguments]
    try:
        return subprocess.run(command, env=env, capture_output=True, encoding="utf-8", start_new_session=own_session)
    except FileNotFoundError:
        raise PipelineError("git is not installed: the champion's record is in Git") from None
