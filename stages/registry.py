"""The champion and its versions; these are the only commands that change what production serves.

    python -m stages.registry promote [--force]
    python -m stages.registry rollback [--to VERSION]
    python -m stages.registry keep
    python -m stages.registry fetch --rev REV [--out models/fetched.onnx]

promote and rollback write models/champion.onnx and models/champion.onnx.dvc, commit the record with a line of
metrics/history.jsonl, and tag that commit as a version (`housing@v1.0.0`) that is in production (`housing#prod#1`).
With MODEL_SIGNING_KEY the commit has the champion's signature too.
Each step is done only where it is not done already, so the same command completes what a kill cut off.
"""

import argparse
from pathlib import Path
from typing import Any

from stages import errors, files, sign
from stages.errors import PipelineError
from stages.promotion import challenger, git, history, lock, production, versions
from stages.promotion.production import CHAMPION, MODEL, RECORD, Record, champion_at, recorded_md5

__all__ = ["CHAMPION", "MODEL", "RECORD", "champion_at", "complete", "keep", "promote", "recorded_md5", "rollback"]

FETCHED = Path("models/fetched.onnx")


def promote(force: bool) -> str:
    """Make the workspace's model the champion and say so in one line.

    Raises PipelineError unless the gate's last verdict on exactly these bytes, today's test split and the champion of
    HEAD was `promote`, or `force`; and where the commit could not say what made the model.
    """
    git.check_ready()
    md5 = challenger.check_made()
    before = production.record_at("HEAD")
    is_champion = before is not None and before.md5 == md5
    if before and is_champion and before.version:
        complete()
        return f"promoted already: {CHAMPION} is {MODEL} (md5 {md5}), {versions.tag(before.version)}"
    verdict = challenger.verdict(md5, before and before.md5)
    permitted = is_champion or verdict == "promote"
    if not permitted and not force:
        raise PipelineError(
            f"the gate's last verdict on {MODEL} (md5 {md5}) against the champion of HEAD on today's test split is "
            f"{verdict or 'none'!r}, expected 'promote': run `make gate`, or promote with FORCE=1, which is recorded"
        )
    version = versions.following(list(versions.registered()))
    git.commit(challenger.made_of(), f"Make the model that becomes {versions.tag(version)}")
    record = Record(md5, git.commit_of("HEAD"), version)
    line = {"promoted": md5, "version": version, "forced": not permitted}
    _release(MODEL.read_bytes(), record, line, f"Promote {versions.tag(version)}")
    return f"promoted: {CHAMPION} is now {MODEL} (md5 {md5}), {versions.tag(version)}"


def rollback(to: str | None) -> str:
    """Return to the version before the one in production, or to `to`, and say so in one line.

    Raises PipelineError where there is none, or where its file is nowhere.
    """
    git.check_ready()
    before = production.record_at("HEAD")
    current = before.version if before else None
    version = to or earlier(versions.in_production(), current)
    commit = versions.commit_named(version or "")
    if version is None or commit is None:
        known = ", ".join(versions.registered()) or "none"
        raise PipelineError(f"there is no version {to or 'before this one'} to return to (registered: {known})")
    version = version.removeprefix(versions.tag(""))
    if version == current and versions.in_production()[-1:] == [version]:
        return f"in production already: {versions.tag(version)}"
    held, content = production.record_at(commit), production.champion_at(commit)
    if held is None or content is None:
        raise PipelineError(f"{versions.tag(version)} records no champion: choose another version with --to")
    record = Record(held.md5, held.revision or commit, version)
    line = {"rolled_back": record.md5, "version": version}
    _release(content, record, line, f"Roll back to {versions.tag(version)}")
    return f"rolled back: {CHAMPION} is {versions.tag(version)} again (md5 {record.md5}), was {current or 'no version'}"


def earlier(line: list[str], current: str | None) -> str | None:
    """The version to return to; `line` ends with the one in production, `current` is the one that HEAD records.

    Where they differ a kill came between the two: of a rollback, which goes on, or of a promotion, which is undone.
    """
    if line[-1:] == [current]:
        return line[-2] if len(line) > 1 else None
    if current in line:
        return current
    return line[-1] if line else None


def complete() -> None:
    """Do what a kill kept back after the commit: tag the version that HEAD records, and put its file in place."""
    record = production.record_at("HEAD")
    if record and record.version:
        if not production.is_installed(record) and (content := champion_at("HEAD")) is not None:
            production.install(content, record)
        versions.publish(record.version, git.commit_of("HEAD"))


def keep() -> str:
    """Keep the workspace's model as a DVC experiment named after the gate's verdict, and say so in one line."""
    git.check_ready()
    md5, champion = challenger.check_made(), recorded_md5("HEAD")
    return f"nothing to keep: {MODEL} is the champion" if md5 == champion else challenger.keep(md5, champion)


def fetch(revision: str, out: Path) -> str:
    """Bring the champion of a version, of `prod` or of any Git revision; never as what production serves."""
    if out.resolve() in (CHAMPION.resolve(), MODEL.resolve()):
        raise PipelineError(f"{out} is written by promote or `dvc repro` alone: choose another --out")
    commit = versions.commit_named(revision) or git.commit_of(revision)
    content = champion_at(commit)
    if content is None:
        raise PipelineError(f"{revision} has no champion: {RECORD} is not in that commit")
    files.write_bytes(out, content)
    return f"{out} is the champion of {revision} (md5 {recorded_md5(commit)})\nMODEL_PATH={out.as_posix()}"


def _release(content: bytes, record: Record, line: dict[str, Any], message: str) -> None:
    # The line first: nothing is in production that the history does not tell.
    changes = [entry for entry in history.read() if "promoted" in entry or "rolled_back" in entry]
    if not changes or not line.items() <= changes[-1].items():
        history.append(line)
    if not production.is_installed(record):
        production.install(content, record)
    git.commit([RECORD.as_posix(), history.PATH.as_posix(), *sign.sign()], f"{message}\n\nmd5 {record.md5}")
    complete()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.registry", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    promoting = commands.add_parser("promote", help="make models/model.onnx what production serves")
    promoting.add_argument("--force", action="store_true", help="without a verdict; recorded in the history")
    returning = commands.add_parser("rollback", help="return to the version before")
    returning.add_argument("--to", metavar="VERSION", help="to this version instead, such as v1.0.0")
    commands.add_parser("keep", help="keep models/model.onnx as a DVC experiment named after its verdict")
    fetching = commands.add_parser("fetch", help="bring the champion of a version or revision")
    fetching.add_argument("--rev", required=True, help="a version (v1.0.0), prod, or any Git revision")
    fetching.add_argument("--out", type=Path, default=FETCHED, help=f"default {FETCHED}")
    arguments = parser.parse_args()
    if arguments.command == "fetch":
        print(fetch(arguments.rev, arguments.out))
        return
    with lock.held(arguments.command):
        done = {"promote": lambda: promote(arguments.force), "rollback": lambda: rollback(arguments.to), "keep": keep}
        print(done[arguments.command]())


if __name__ == "__main__":
    errors.run(main)
