"""What CI runs against services: .ci/publish against a registry, .ci/comment against a pull request's comments.

Their clients, docker and gh, are stand-ins that keep a log of their calls.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCKER = """
echo "$*" >> "$CALLS"
case "$*" in
  *"inspect --format"*) echo sha256:1234 ;;
  *"imagetools inspect"*) echo "$INSPECT" >&2; exit "$FAILS" ;;
esac
"""
GH = """
echo "$*" >> "$CALLS"
case "$*" in *--jq*) python3 -c 'import json, sys
for comment in json.loads(sys.argv[1]):
    if comment["user"]["type"] == "Bot" and comment["body"].startswith("<!-- mlops: report -->"): print(comment["id"])
' "$COMMENTS" ;; esac
"""


def run(
    folder: Path, script: str, *arguments: str, **settings: str
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run a script with the stand-ins first in PATH; return what it did, and their calls."""
    for name, text in {"docker": DOCKER, "gh": GH}.items():
        (folder / name).write_text(f"#!/usr/bin/env bash\n{text}")
        (folder / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "CALLS": os.fspath(folder / "calls"), **settings}
    env.pop("GITHUB_OUTPUT", None)
    command = [ROOT / ".ci" / script, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    return done, (folder / "calls").read_text().splitlines()


@pytest.mark.parametrize(
    ("inspect", "fails", "made"),
    [("registry/owner/name:v1.0.0: not found", "1", True), ("Name: registry/owner/name:v1.0.0", "0", False)],
)
def test_a_version_is_published_once(tmp_path: Path, inspect: str, fails: str, made: bool) -> None:
    """The image of both systems gets the commit's tag and `latest`, in small letters; the version's tag is made where
    it is not there, and never moved."""
    settings = {"IMAGE": "registry/Owner/Name", "VERSION": "v1.0.0", "REGISTRY_USER": "me", "REGISTRY_TOKEN": "secret"}
    done, calls = run(tmp_path, "publish", "--build-arg", "A=1", ".", INSPECT=inspect, FAILS=fails, **settings)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pushed = f"registry/owner/name:sha-{commit.strip()}"
    assert done.stdout.splitlines()[-1] == "registry/owner/name@sha256:1234"
    (build,) = [call for call in calls if "buildx build " in call]
    assert "--platform linux/amd64,linux/arm64" in build
    assert build.endswith(f"--tag {pushed} --build-arg A=1 .")
    made_tags = [call for call in calls if "imagetools create" in call]
    versions = [f"buildx imagetools create --tag registry/owner/name:v1.0.0 {pushed}"] if made else []
    assert made_tags == [*versions, f"buildx imagetools create --tag registry/owner/name:latest {pushed}"]
    assert not any("secret" in call for call in calls)


def test_a_registry_that_does_not_answer_moves_no_tag(tmp_path: Path) -> None:
    """Where it cannot be told whether the version's tag is there, no tag but the commit's is made."""
    settings = {"IMAGE": "registry/o/n", "VERSION": "v1.0.0", "REGISTRY_USER": "me", "REGISTRY_TOKEN": "secret"}
    done, calls = run(tmp_path, "publish", ".", INSPECT="503 Service Unavailable", FAILS="1", **settings)
    assert done.returncode == 1
    assert done.stderr == "cannot tell whether registry/o/n:v1.0.0 exists: 503 Service Unavailable\n"
    assert not any("imagetools create" in call for call in calls)


@pytest.mark.parametrize(
    ("comments", "call"),
    [
        ("[]", "--method POST repos/o/n/issues/7/comments"),
        (
            '[{"id": 1, "user": {"type": "Bot"}, "body": "another workflow"},'
            ' {"id": 2, "user": {"type": "User"}, "body": "<!-- mlops: report -->"},'
            ' {"id": 3, "user": {"type": "Bot"}, "body": "<!-- mlops: report -->\\nold"}]',
            "--method PATCH repos/o/n/issues/comments/3",
        ),
    ],
)
def test_the_comment_is_ours(tmp_path: Path, comments: str, call: str) -> None:
    """The report replaces the comment with the marker that a workflow wrote, or is a new one; no other is touched."""
    report = tmp_path / "summary.md"
    report.write_text("a $report\n")
    settings = {"COMMENTS": comments, "GITHUB_REPOSITORY": "o/n", "NUMBER": "7"}
    done, calls = run(tmp_path, "comment", os.fspath(report), **settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\n".join(calls[1:]) == f"api --silent {call} --raw-field body=<!-- mlops: report -->\na $report"
