"""Promote and roll back: the only two acts that change what production serves.

Both write models/champion.onnx and models/champion.onnx.dvc, commit the record with a line of metrics/history.jsonl,
and tag that commit as a version (`housing@v1.0.0`) that is in production (`housing#prod#1`). With MODEL_SIGNING_KEY the
commit has the champion's signature too. What can fail comes first: checks, then the signature, then the files.
Each step is skipped where it is done already, so the same command completes what a kill cut off.
"""

from typing import Any

from pipeline.contract.errors import PipelineError
from pipeline.contract.paths import CHAMPION, CHAMPION_RECORD, HISTORY, MODEL
from pipeline.registry import challenger, champion_record, git, history, signing, versions
from pipeline.registry.champion_file import champion_at
from pipeline.registry.champion_record import ChampionRecord
from pipeline.registry.recorded_outputs import commit_that_made

FIRST = "the first champion of this repository, whose template's champion cannot be made here"


def promote(force: bool) -> str:
    """Make the workspace's model the champion; return a line that says so.

    Raises PipelineError where, without `force`, the gate's last verdict on this file, today's test split and the
    champion of HEAD is not `promote`; where no commit could say what made the model; and where signing fails.
    A champion that came with a template and is nowhere is replaced without a verdict.
    """
    git.check_ready()
    md5 = challenger.check_made()
    before = champion_record.record_at("HEAD")
    is_champion = before is not None and before.md5 == md5
    if before and is_champion and before.version:
        complete()
        return f"promoted already: {CHAMPION} is {MODEL} (md5 {md5}), {versions.tag(before.version)}"
    verdict = challenger.last_verdict(md5, before and before.md5).get("verdict")
    permitted = is_champion or verdict == "promote"
    first = _came_with_a_template(before)
    if not permitted and not force and not first:
        raise PipelineError(
            f"the gate's last verdict on {MODEL} (md5 {md5}) against the champion of HEAD on today's test split is "
            f"{verdict or 'none'!r}, expected 'promote': run `make gate`, or promote with FORCE=1, which is recorded"
        )
    content = MODEL.read_bytes()
    signature = signing.sign(content)
    version = versions.following([*versions.registered(), *_recorded_versions()])
    git.commit(challenger.made_of(), f"Make the model that becomes {versions.tag(version)}")
    record = ChampionRecord(md5, git.commit_of("HEAD"), version)
    line = {"promoted": md5, "version": version, "forced": not permitted, **({"reason": FIRST} if first else {})}
    _release(content, signature, record, line, f"Promote {versions.tag(version)}")
    why = f": {FIRST}" if first else ""
    return f"promoted: {CHAMPION} is now {MODEL} (md5 {md5}), {versions.tag(version)}{why}"


def rollback(to: str | None) -> str:
    """Make the version before the one in production, or `to`, the champion again; return a line that says so.

    Raises PipelineError where there is none, where its file is nowhere, and where signing fails.
    """
    git.check_ready()
    before = champion_record.record_at("HEAD")
    current = before.version if before else None
    version = versions.resolve(to) if to else version_before(versions.in_production(), current)
    if version is None:
        known = ", ".join(versions.registered()) or "none"
        raise PipelineError(f"there is no version {to or 'before this one'} to return to (registered: {known})")
    if version == current and versions.in_production()[-1:] == [version]:
        return f"in production already: {versions.tag(version)}"
    commit = versions.registered()[version]
    held, content = champion_record.record_at(commit), champion_at(commit)
    if held is None or content is None:
        raise PipelineError(f"{versions.tag(version)} records no champion: choose another version with --to")
    record = ChampionRecord(held.md5, held.revision or commit, version)
    line = {"rolled_back": record.md5, "version": version}
    _release(content, signing.sign(content), record, line, f"Roll back to {versions.tag(version)}")
    return f"rolled back: {CHAMPION} is {versions.tag(version)} again (md5 {record.md5}), was {current or 'no version'}"


def version_before(production: list[str], current: str | None) -> str | None:
    """Return the version to roll back to, given those that led to production and the one that HEAD records.

    The two differ after a kill: a rollback is then completed, a promotion undone.
    """
    if production[-1:] == [current]:
        return production[-2] if len(production) > 1 else None
    if current in production:
        return current
    return production[-1] if production else None


def complete() -> None:
    """Finish what a kill cut off after the commit: tag the version that HEAD records, and put its file in place."""
    record = champion_record.record_at("HEAD")
    if record and record.version:
        if not champion_record.is_installed(record) and (content := champion_at("HEAD")) is not None:
            champion_record.install(content, record)
        versions.publish(record.version, git.commit_of("HEAD"))


def tag() -> str:
    """Tag the version that HEAD records, which a pull request brings without tags; return a line that says so.

    Promotes the workspace's model instead where the recorded champion came with a template and is nowhere.
    """
    record = champion_record.record_at("HEAD")
    if record is None or record.version is None:
        return "HEAD records no version"
    if _came_with_a_template(record):
        return promote(force=False)
    versions.publish(record.version, git.commit_of("HEAD"))
    return f"in production: {versions.tag(record.version)}"


def _came_with_a_template(record: ChampionRecord | None) -> bool:
    """Return True where a champion's file is nowhere, and no commit or version of this repository made it.

    GitHub's "Use this template" copies the files alone: neither commits nor tags.
    """
    if record is None or git.is_shallow() or versions.registered() or commit_that_made(record, "HEAD"):
        return False
    try:
        return champion_at("HEAD") is None
    except PipelineError:
        return True


def _recorded_versions() -> list[str]:
    """Return the versions that HEAD's history has promoted: a clone may lack their tags."""
    committed = history.parse(git.show("HEAD", HISTORY) or "", f"HEAD:{HISTORY}")
    return [entry["version"] for entry in committed if "promoted" in entry and entry.get("version")]


def _release(
    content: bytes, signature: bytes | None, record: ChampionRecord, line: dict[str, Any], message: str
) -> None:
    # The line comes first: the history tells all that is in production.
    changes = [entry for entry in history.read() if "promoted" in entry or "rolled_back" in entry]
    if not changes or not line.items() <= changes[-1].items():
        history.append(line)
    if signature or not champion_record.is_installed(record):
        champion_record.install(content, record, signature)
    signed = [signing.SIGNATURE.as_posix()] if signature else []
    git.commit([CHAMPION_RECORD.as_posix(), HISTORY.as_posix(), *signed], f"{message}\n\nmd5 {record.md5}")
    complete()
