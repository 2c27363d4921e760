"""The champion's file at a Git revision: from the workspace, DVC's cache or a remote, else rebuilt."""

from pathlib import Path

from pipeline.contract import dvc_records
from pipeline.contract.errors import PipelineError
from pipeline.contract.paths import CHAMPION, CHAMPION_RECORD, MODEL
from pipeline.registry import champion_record, git, rebuild, versions
from pipeline.registry.champion_record import ChampionRecord, recorded_md5
from pipeline.registry.recorded_outputs import commit_that_made
from pipeline.tables import atomic_files


def champion_at(revision: str) -> bytes | None:
    """Return the champion's file as it was at a Git revision; None where that revision has none.

    Looks in the workspace, then in DVC's cache and remotes. Raises PipelineError where the revision is unknown or
    the file cannot be found.
    """
    record = champion_record.record_at(revision)
    return _find(revision, record) if record else None


def fetch(name: str, out: Path) -> str:
    """Copy the champion of a version, of `prod` or of any Git revision to `out`; return two lines that say so.

    Raises PipelineError where there is none, and where `out` is a file that promote or the pipeline writes.
    """
    if out.resolve() in (CHAMPION.resolve(), MODEL.resolve()):
        raise PipelineError(f"{out} is written by promote or `dvc repro` alone: choose another --out")
    commit = versions.registered().get(versions.resolve(name) or "") or git.commit_of(name)
    content = champion_at(commit)
    if content is None:
        raise PipelineError(f"{name} has no champion: {CHAMPION_RECORD} is not in that commit")
    atomic_files.write_bytes(out, content)
    return f"{out} is the champion of {name} (md5 {recorded_md5(commit)})\nMODEL_PATH={out.as_posix()}"


def restore() -> str:
    """Put the champion that HEAD records into the workspace; return a line that says so.

    Raises PipelineError where there is none, or where its file is nowhere and cannot be rebuilt.
    """
    record = champion_record.record_at("HEAD")
    if record is None:
        raise PipelineError(f"HEAD records no champion: `make promote` makes one ({CHAMPION_RECORD})")
    if champion_record.is_installed(record):
        return f"{CHAMPION} is there (md5 {record.md5})"
    try:
        content = _find("HEAD", record)
    except PipelineError as lost:
        if (commit := commit_that_made(record, "HEAD")) is None:
            raise
        content, md5 = rebuild.model_at(commit, str(lost))
        if md5 != record.md5:
            raise PipelineError(f"{lost}. Rebuilt from {commit}, it is another file (md5 {md5})") from None
    champion_record.install(content, record)
    return f"{CHAMPION} is restored (md5 {record.md5})"


def _find(revision: str, record: ChampionRecord) -> bytes:
    if CHAMPION.exists() and atomic_files.digest(CHAMPION, "md5") == record.md5:
        return CHAMPION.read_bytes()

    import dvc.api  # takes a second to import, and is seldom needed
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    again = f"or check out {revision} in a clone, run `dvc repro` there and copy its {MODEL} here as {CHAMPION}"
    if commit_that_made(record, revision) is None:
        again = "or, in a repository made from a template, `make repro` and `make promote`: it makes a first champion"
    try:
        with Repo() as repo:
            # Today's remote: a revision knows no remote that is younger.
            remote = repo.config["core"].get("remote")
        content: bytes = dvc.api.read((git.prefix() / CHAMPION).as_posix(), rev=revision, remote=remote, mode="rb")
    except (DvcException, OSError) as error:
        raise PipelineError(
            f"the champion of {revision} (md5 {record.md5}) is neither in the workspace nor in DVC's cache or a remote "
            f"({error}): run `dvc pull {CHAMPION}`, or `dvc push --all-tags` where it was promoted, {again}"
        ) from None
    if dvc_records.md5(content) != record.md5:
        raise PipelineError(
            f"DVC's copy of the champion of {revision} is damaged: run `dvc pull --force {CHAMPION}`, {again}"
        )
    return content
