"""The server under load while everything around it fails: nothing acknowledged is lost, and nothing grows.

Two workers answer valid rows, batches, feedback, wrong bodies and probes. Meanwhile, in turn, the model is swapped, the
prediction log is locked, gone or on a full disk, a worker is killed, and connections stay silent. A prediction that was
answered 200 is acknowledged: its id must be in the log at the end. Memory and open files are those of the one worker
that is never killed, after some swaps as a warm-up, before each round of faults and without connections.

    python -m bench soak --minutes 30
"""

import asyncio
import math
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from bench import memory, serving
from bench.soak_faults import Site
from bench.soak_load import Load
from pipeline.contract.onnx_model import Model

ROOT = Path(__file__).parents[1]
MINUTES = 3.0
SILENT = 100  # connections
_WARM = 0.25  # of the rounds, in which caches fill
_FEWEST = 5  # rounds that have a slope with an error


class Check(NamedTuple):
    """A line of the table; `met` is None where nothing is expected, or where the run was too short to tell."""

    what: str
    found: str
    expected: str
    met: bool | None


def lines(minutes: float = MINUTES) -> Iterator[str]:
    """The table in Markdown."""
    yield from ("| what | found | expected | |", "|---|---|---|---|")
    for check in run(minutes):
        verdict = {None: "", True: "met", False: "missed"}[check.met]
        yield f"| {check.what} | {check.found} | {check.expected} | {verdict} |"


def run(minutes: float) -> list[Check]:
    """Serve, disturb, and return what was found."""
    with tempfile.TemporaryDirectory() as name, open(Path(name) / "stdout", "wb") as stdout:
        site = Site(Path(name), serving.MODEL)
        variables = {"WORKERS": "2", "PREDICTION_LOG_URL": f"sqlite:///{site.log}", "PYTHONPATH": str(ROOT)}
        rows = serving.rows(Model.load(serving.MODEL).description)
        with serving.server(["api"], variables, cwd=site.folder, stdout=stdout) as (url, pid):
            site.server = pid
            load = Load(int(url.rpartition(":")[2]), rows)
            samples, faults = asyncio.run(_disturbed(site, load, minutes * 60))
        with sqlite3.connect(site.log) as log:
            logged = {found for (found,) in log.execute("SELECT id FROM predictions")}
    return [*_counts(load, logged, faults), *_growth(samples)]


async def _disturbed(site: Site, load: Load, seconds: float) -> tuple[np.ndarray, Counter[str]]:
    """Return hours, MB and open files at the start of each round of faults, and how often each fault was made."""
    samples: list[list[float]] = []
    faults: Counter[str] = Counter()

    async def disturb() -> None:
        await site.warm_up()
        begun = time.monotonic()
        while True:
            load.paused = True
            await asyncio.sleep(2)
            samples.append([(time.monotonic() - begun) / 3600, *_size(site.workers()[0])])
            if time.monotonic() - begun > seconds:
                return
            load.paused = False
            await asyncio.sleep(2)
            for fault in (site.swap, site.locked, site.gone, site.full, site.killed):
                load.during = fault.__name__
                await fault()
                faults[fault.__name__] += 1
                await asyncio.sleep(1)
            load.during = "silent connections"
            await load.silent(SILENT, 3)
            faults["silent connections"] += SILENT

    await load.run(disturb)
    return np.array(samples), faults


def _size(pid: int) -> tuple[float, int]:
    """Return the MB (10^6 bytes) and the open files of a process."""
    resident = int(memory.text(pid, "status").split("VmRSS:")[1].split()[0])
    return resident * 1024 / 1e6, len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _counts(load: Load, logged: set[str], faults: Counter[str]) -> Iterator[Check]:
    yield Check("faults", ", ".join(f"{count} {name}" for name, count in faults.items()), "", None)
    for kind in sorted({kind for kind, _ in load.statuses}):
        told = ", ".join(
            f"{count:,} × {status}" for (each, status), count in sorted(load.statuses.items()) if each == kind
        )
        yield Check(f"answers: {kind}", f"{told}; {load.cut[kind]} cut", "", None)
    lost = load.acknowledged - logged
    yield Check(
        "acknowledged predictions that are not in the log", f"{len(lost)} of {len(load.acknowledged):,}", "0", not lost
    )
    other = ", ".join(f"{count} × {line.decode(errors='replace')}" for line, count in load.undocumented.items())
    yield Check("5xx but a documented 503", other or "0", "0", not other)
    allowed = {"predict": {200, 503}, "batch": {200, 503}, "feedback": {200, 404, 503}, "health": {200}}
    odd = [(kind, status) for kind, status in load.statuses if status not in allowed.get(kind, range(400, 504))]
    yield Check("other answers to valid requests", str(sorted(odd) or 0), "0", not odd)
    yield Check("requests without an answer in 30 s", str(load.unanswered), "0", load.unanswered == 0)
    slow, during = load.slowest.get("health", (math.inf, ""))
    found = f"{slow:.2f}, {during}"
    yield Check("seconds of the slowest answer of /health, and the fault", found, "at most 1", slow <= 1)


def _growth(samples: np.ndarray) -> Iterator[Check]:
    """A slope is flat if it is not above 0 by more than its error, two-sided 95 % of a least-squares line."""
    kept = samples[int(len(samples) * _WARM) :]
    for column, name in ((1, "memory, MB an hour"), (2, "open files, an hour")):
        first, last = samples[0, column], samples[-1, column]
        if len(kept) < _FEWEST:
            yield Check(name, f"{first:.0f} to {last:.0f}, too short a run for a slope", "flat", None)
            continue
        line = stats.linregress(kept[:, 0], kept[:, column])
        error = stats.t.ppf(0.975, len(kept) - 2) * np.nan_to_num(line.stderr)  # NaN if all are equal
        found = f"{line.slope:+.2f} ± {error:.2f} ({first:.0f} to {last:.0f})"
        yield Check(name, found, "flat", bool(line.slope <= error))
