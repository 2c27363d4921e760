"""Show what `dvc repro` changed under Git, and fail where a figure differs.

    python -m ops.changes
    python -m ops.changes --locks linux/dvc.lock macos/dvc.lock

Compares the files that the pipeline makes with the last commit. Processors, systems and versions of BLAS differ in the
last digits of a float (docs/decisions/0019), so it may differ by 1e-6 of itself: six significant digits are more than a
reader uses, and far more than rounding changes. Hashes and plots are shown, and never a failure. With `--locks` it
prints the hashes in several dvc.lock as a Markdown table, each file under the name of its folder.
"""

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.contract import errors, paths
from pipeline.contract.wording import counted
from pipeline.evaluation import markdown
from pipeline.registry import git
from pipeline.registry.recorded_outputs import outputs_at, outputs_in

TOLERANCE = 1e-6
ABSENT = "absent"


class Difference(NamedTuple):
    """A value of two JSON documents that differs; `ABSENT` where one of them has no such key."""

    key: str
    old: Any
    new: Any

    @property
    def small(self) -> bool:
        """True for two floats that agree in six significant digits."""
        both = isinstance(self.old, float) and isinstance(self.new, float)
        return both and math.isclose(self.old, self.new, rel_tol=TOLERANCE)

    def __str__(self) -> str:
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in self[1:])
        relative = f" ({(self.new - self.old) / abs(self.old):+.1e})" if numbers and self.old else ""
        return f"{self.key}: {self.old} -> {self.new}{relative}"


def differences(old: Any, new: Any, key: str = "") -> Iterator[Difference]:
    """Yield each value that differs between two JSON documents, its key as `settings.alpha` or `weights.0`."""
    if isinstance(old, list) and isinstance(new, list):
        old, new = (dict(enumerate(values)) for values in (old, new))
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from differences(old.get(name, ABSENT), new.get(name, ABSENT), f"{key}.{name}" if key else str(name))
    elif old != new or type(old) is not type(new):
        yield Difference(key, old, new)


def show_changes() -> int:
    """Print what differs from the last commit; return 1 where a figure does, else 0."""
    commit = git.commit_of("HEAD")[:10]
    failed = 0
    for path in map(Path, git.generated()):
        before = git.show("HEAD", path)
        after = path.read_text(encoding="utf-8") if path.exists() else None
        if before == after:
            continue
        print(f"{path.as_posix()} {'is new' if before is None else 'is gone' if after is None else 'differs'}")
        if path.suffix == ".json":
            for each in differences(json.loads(before or "{}"), json.loads(after or "{}")):
                print(f"  {each}{', in the last digits' if each.small else ''}")
                failed += not each.small
    for each in differences(outputs_at("HEAD"), outputs_in(paths.LOCK.read_text(encoding="utf-8"))):
        print(f"  md5 of {each}")
    print(
        f"{counted(failed, 'figure')} not as in commit {commit}" if failed else f"all figures are as in commit {commit}"
    )
    return int(failed > 0)


def table(locks: dict[str, dict[str, str]]) -> str:
    """Return the md5 of each output under each name, as Markdown; an output that is the same everywhere has one."""
    rows = []
    for path in sorted(set().union(*locks.values())):
        found = [recorded.get(path, ABSENT)[:8] for recorded in locks.values()]
        rows.append([path, *(found if len(set(found)) > 1 else ["same", *[""] * (len(found) - 1)])])
    return markdown.table(["output", *locks], rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ops.changes", description=(__doc__ or "").splitlines()[0])
    about = "print the hashes in these files as a Markdown table instead"
    parser.add_argument("--locks", nargs="+", type=Path, metavar="dvc.lock", help=about)
    locks = parser.parse_args().locks
    if not locks:
        return show_changes()
    print(table({path.resolve().parent.name: outputs_in(path.read_text(encoding="utf-8")) for path in locks}))
    return 0


if __name__ == "__main__":
    errors.run_command(main)
