"""Delivery to a remote: while others push, to a protected branch, as a pull request, on a template's first day."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import Project, remote
from tests.ops.gating import CHAMPION, history
from tests.ops.releasing import HISTORY, RECORD, git, record

TAGS = ["housing#prod#1", "housing@v1.0.0"]
# Stands for gh: it writes down what it is asked for.
GH = '#!/bin/sh\necho "$@" >> "$(dirname "$0")/gh.log"\n'
PROTECTED = '#!/bin/sh\nif [ "$1" = refs/heads/main ]; then echo "protected branch" >&2; exit 1; fi\n'


def hook(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def other(project: Project) -> Project:
    """Return a second clone, of the remote's main."""
    folder = project.folder.parent / "other"
    project.run("git", "clone", "-q", str(folder.parent / "remote.git"), str(folder))
    return Project(folder, project.python)


def meanwhile(project: Project, gone: str = "", **added: str) -> str:
    """Push a commit to main from a second clone, with a line more in each file and one file gone; return the commit."""
    clone = other(project)
    if gone:
        clone.path(gone).unlink()
    for name, line in added.items():
        path = clone.path({"lock": "dvc.lock", "record": RECORD, "history": HISTORY, "code": "stages/clean.py"}[name])
        path.write_text((path.read_text() if path.exists() else "") + line)
    clone.commit("meanwhile")
    clone.run("git", "push", "-q", "origin", "main")
    return git(clone, "rev-parse", "HEAD")


def test_a_promotion_is_delivered_with_its_tags(hosted: Project, tmp_path: Path) -> None:
    """The commits of a promotion and its tags reach the branch at once, and the job learns the commit."""
    output = tmp_path / "output"
    hosted.env["GITHUB_OUTPUT"] = os.fspath(output)
    hosted.run(".ci/deliver")
    assert remote(hosted, "rev-parse", "main") == git(hosted, "rev-parse", "HEAD")
    assert remote(hosted, "tag").split() == TAGS
    assert output.read_text() == f"commit={remote(hosted, 'rev-parse', 'main')}\n"


def test_a_verdict_is_delivered_without_a_promotion(hosted: Project) -> None:
    """The line that the gate adds to the history is committed and sent, though the champion stays; a second delivery
    has nothing to add."""
    hosted.run(".ci/deliver")
    hosted.ops("gate", code=3)
    # Live rows stay here: with them, the history alone is sent.
    hosted.path("data/live/rows.csv").write_text("RM\n6\n")
    hosted.path("metrics/drift.json").write_text("{}\n")
    hosted.run(".ci/deliver")
    assert remote(hosted, "diff", "--name-only", "main~1", "main") == HISTORY
    assert json.loads(remote(hosted, "show", f"main:{HISTORY}").splitlines()[-1])["verdict"]
    commit = remote(hosted, "rev-parse", "main")
    hosted.run(".ci/deliver")
    assert remote(hosted, "rev-parse", "main") == commit


def test_tags_follow_a_merged_pull_request(hosted: Project) -> None:
    """With RETRAIN_BY=pull-request, a promotion that is on the branch already gets its tags with the next delivery."""
    hosted.run("git", "push", "-q", "origin", "main")
    hosted.run("git", "tag", "--delete", *TAGS)
    hosted.env["RETRAIN_BY"] = "pull-request"
    hosted.run(".ci/deliver")
    assert remote(hosted, "tag").split() == TAGS


def test_a_merge_during_the_run_is_kept(hosted: Project) -> None:
    """What others pushed and the promotion are both on the branch: the record's and the tags' commits stay the same,
    the history has the lines of both, and files of this run that the others did not make are sent. Changes that are
    not to be sent stay in the workspace alone."""
    hosted.path("dvc.lock").write_text(hosted.path("dvc.lock").read_text() + "# ours\n")
    hosted.path("README.md").write_text("mine\n")
    theirs = meanwhile(hosted, code="# theirs\n", history='{"verdict": "theirs"}\n')
    hosted.run(".ci/deliver")
    promotion = git(hosted, "rev-parse", "housing@v1.0.0^{commit}")
    for commit in (theirs, promotion, record(hosted)["meta"]["revision"]):
        remote(hosted, "merge-base", "--is-ancestor", commit, "main")
    assert remote(hosted, "rev-parse", "main~1") == theirs
    assert remote(hosted, "rev-parse", "housing@v1.0.0^{commit}") == promotion
    assert remote(hosted, "show", "main:stages/clean.py").endswith("# theirs")
    assert remote(hosted, "show", "main:dvc.lock").endswith("# ours")
    lines = [json.loads(line) for line in remote(hosted, "show", f"main:{HISTORY}").splitlines()]
    assert all(line in lines for line in [*history(hosted), {"verdict": "theirs"}])
    assert "mine" not in remote(hosted, "show", "main:README.md").splitlines()
    assert git(hosted, "status", "--short") == "M README.md"
    assert len(git(hosted, "worktree", "list").splitlines()) == 1


def test_where_both_made_a_lock_that_of_the_branch_stands(hosted: Project) -> None:
    """The lock and metrics of the branch stay whole, since this run's are of other inputs; the promotion is sent all
    the same. Where nothing else is to be sent, the branch stays as it is."""
    hosted.path("dvc.lock").write_text(hosted.path("dvc.lock").read_text() + "# ours\n")
    hosted.path("metrics/train/ridge.json").write_text("{}\n")
    hosted.path("metrics/new.json").write_text("{}\n")
    theirs = meanwhile(hosted, gone="metrics/train/ridge.json", lock="# theirs\n")
    hosted.run(".ci/deliver")
    assert remote(hosted, "diff", "--name-only", theirs, "main").split() == [HISTORY, RECORD]
    assert remote(hosted, "tag").split() == TAGS
    delivered = remote(hosted, "rev-parse", "main")
    hosted.path("dvc.lock").write_text(hosted.path("dvc.lock").read_text() + "# again\n")
    assert hosted.run(".ci/deliver").stdout.splitlines()[-1] == f"delivered {delivered}"
    assert remote(hosted, "rev-parse", "main") == delivered


def test_two_promotions_are_a_conflict(hosted: Project) -> None:
    """Where the branch has another champion by now, nothing is sent, no tag either, and one sentence says what to
    do."""
    theirs = meanwhile(hosted, record=hosted.path(RECORD).read_text().replace("v1.0.0", "v1.1.0"))
    said = hosted.run(".ci/deliver", code=1).stderr.splitlines()[-1]
    assert said.startswith(f"not delivered: the branch and this run both changed {RECORD}: start the run again")
    assert (remote(hosted, "rev-parse", "main"), remote(hosted, "tag")) == (theirs, "")
    assert len(git(hosted, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("pushes", [1, 3])
def test_a_push_at_the_same_moment_is_tried_again(hosted: Project, pushes: int) -> None:
    """A push that comes between fetch and push is fetched in turn; after the third the delivery gives up, and no tag
    is sent without its commits."""
    other(hosted)
    race = (
        "#!/bin/sh\nunset GIT_DIR\ncd ../other\n"
        f"test $(git rev-list --count --grep=race HEAD) -lt {pushes} || exit 0\n"
        "git commit -q --allow-empty -m race && git push -q origin main\n"
    )
    hook(hosted.path(".git/hooks"), "pre-push", race)
    said = hosted.run(".ci/deliver", code=int(pushes == 3))
    assert remote(hosted, "rev-list", "--count", "--grep=race", "main") == str(pushes)
    assert remote(hosted, "tag").split() == (TAGS if pushes == 1 else [])
    assert ("not delivered: main got commits during each of three pushes" in said.stderr) == (pushes == 3)


@pytest.mark.parametrize("by", ["push", "pull-request"])
def test_a_protected_branch_gets_a_pull_request(hosted: Project, tmp_path: Path, by: str) -> None:
    """Where the remote refuses a push to the branch, the delivery becomes a pull request by itself and says what to
    set; with RETRAIN_BY=pull-request it is one without trying. No tag is sent, and the image is built of the branch."""
    theirs = meanwhile(hosted, code="# theirs\n")
    hook(tmp_path / "remote.git/hooks", "update", PROTECTED)
    hook(tmp_path / "bin", "gh", GH)
    hosted.env |= {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{hosted.env['PATH']}", "RETRAIN_BY": by}
    hosted.env["GITHUB_OUTPUT"] = os.fspath(tmp_path / "output")
    said = hosted.run(".ci/deliver").stderr
    assert ("main refused the push" in said and "RELEASE_TOKEN" in said) == (by == "push")
    (name,) = remote(hosted, "for-each-ref", "--format=%(refname:short)", "refs/heads/retrain").split()
    asked = (tmp_path / "bin/gh.log").read_text()
    assert asked.startswith(f"pr create --base main --head {name} --title Promote housing@v1.0.0 ")
    for commit in (theirs, git(hosted, "rev-parse", "HEAD")):
        remote(hosted, "merge-base", "--is-ancestor", commit, name)
    assert (remote(hosted, "rev-parse", "main"), remote(hosted, "tag")) == (theirs, "")
    assert (tmp_path / "output").read_text() == f"commit={theirs}\n"


@pytest.fixture
def template(hosted: Project) -> Project:
    """Made with "Use this template": one commit with all files, and no tags; there is no file of the champion."""
    for folder in (".git", "../remote.git"):
        shutil.rmtree(hosted.path(folder))
    hosted.path(CHAMPION).unlink()
    hosted.run("git", "init", "-q", "-b", "main")
    hosted.run("git", "init", "-q", "--bare", "-b", "main", "../remote.git")
    hosted.run("git", "remote", "add", "origin", "../remote.git")
    return hosted


def test_a_template_whose_champion_is_nowhere_gets_a_first_one(template: Project) -> None:
    """Where `dvc repro` makes another model than the champion that the template records, restore says the way out, and
    the first delivery promotes that model, without a verdict: its record names a commit of this repository, and
    promote has nothing more to do."""
    recorded = template.path(RECORD).read_text()
    template.path(RECORD).write_text(recorded.replace(record(template)["outs"][0]["md5"], "f" * 32))
    template.commit("Initial commit")
    template.run("git", "push", "-q", "origin", "main")
    assert "made from a template, `make repro` and `make promote`" in template.ops("registry", "restore", code=1).stderr
    assert "housing@v1.1.0: the first champion of this repository" in template.run(".ci/deliver").stdout
    assert remote(template, "tag").split() == ["housing#prod#1", "housing@v1.1.0"]
    assert remote(template, "show", f"main:{RECORD}").endswith("version: v1.1.0")
    remote(template, "merge-base", "--is-ancestor", record(template)["meta"]["revision"], "main")
    last = history(template)[-1]
    assert (last["version"], last["forced"], last["reason"][:18]) == ("v1.1.0", True, "the first champion")
    assert "is there" in template.ops("registry", "restore").stdout
    assert "promoted already" in template.ops("registry", "promote").stdout


def test_a_template_that_makes_its_champion_keeps_it(template: Project) -> None:
    """Where the template's own lock makes the recorded champion, the first delivery tags its version, though the
    commit that the record names is not there; without any copy, the file is rebuilt."""
    template.commit("Initial commit")
    template.run("git", "push", "-q", "origin", "main")
    shutil.rmtree(template.path(".dvc/cache"))
    template.run(".ci/deliver")
    assert remote(template, "tag").split() == TAGS
    assert remote(template, "log", "--format=%s", "main") == "Initial commit"
    assert "is restored" in template.ops("registry", "restore").stdout
