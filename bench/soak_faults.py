"""What happens to the server of the soak: swaps of the model, a log that is locked, gone or on a full disk, a killed
worker. Each fault ends by itself; a process of another server is never touched."""

import asyncio
import itertools
import os
import resource
import shutil
import signal
import sqlite3
from pathlib import Path

import onnx
import yaml

from bench import memory
from pipeline.contract import paths
from pipeline.tables.atomic_files import digest

WARM_UP = 15  # swaps; measured, after 10 the memory of a worker hardly grows
LONGER_THAN_PATIENCE = 6  # seconds; the server waits 5 for a lock


class Site:
    """A folder to serve from, with two models that answer the same, and the prediction log behind a link.

    `server`: the first process of the server, known once it runs.
    """

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder = folder
        self.server = 0
        (folder / "models").mkdir()
        (folder / "disk").mkdir()
        (folder / "in-the-way").touch()
        self._link("disk")
        self.log = folder / "log/predictions.db"
        graph = onnx.load(model)
        graph.doc_string = "the same, with another md5"
        onnx.save(graph, folder / "second.onnx")
        shutil.copy(model, folder / "first.onnx")
        self._models = itertools.cycle(["first.onnx", "second.onnx"])
        self._promote()

    async def swap(self) -> None:
        """Another model and its record, one after the other, as promote writes them."""
        self._promote()
        await asyncio.sleep(3)

    async def warm_up(self) -> None:
        """Swap until the allocator has its size: each swap loads a second model beside the first."""
        for _ in range(WARM_UP):
            self._promote()
            os.kill(self.server, signal.SIGHUP)
            await asyncio.sleep(1)

    async def locked(self) -> None:
        """Another process writes to SQLite's file for longer than the server waits."""
        other = sqlite3.connect(self.log, timeout=60, isolation_level=None, check_same_thread=False)
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
        await asyncio.sleep(LONGER_THAN_PATIENCE)
        other.execute("ROLLBACK")
        other.close()

    async def gone(self) -> None:
        """The folder of the log is away, and comes back."""
        self._link("in-the-way")
        await asyncio.sleep(3)
        self._link("disk")

    async def full(self) -> None:
        """No process of the server can make a file longer: RLIMIT_FSIZE, since a full disk needs a disk of its own."""
        limited = self.workers()
        before = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in limited]
        for pid, (_, hard) in zip(limited, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
        await asyncio.sleep(3)
        for pid, limits in zip(limited, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)

    async def killed(self) -> None:
        """SIGKILL for the youngest worker: the oldest lives through the whole run, and is measured."""
        os.kill(self.workers()[-1], signal.SIGKILL)
        await asyncio.sleep(3)

    def workers(self) -> list[int]:
        """Return the processes that answer, the oldest first."""
        found = [pid for pid in memory.tree(self.server) if "spawn_main" in memory.text(pid, "cmdline")]
        return sorted(found, key=lambda pid: int(memory.text(pid, "stat").rpartition(")")[2].split()[19]))

    def _link(self, target: str) -> None:
        """Let `log` be a link to this entry of the folder, without a moment in between."""
        os.symlink(target, self.folder / "link")
        os.replace(self.folder / "link", self.folder / "log")

    def _promote(self) -> None:
        champion, new = self.folder / paths.CHAMPION, self.folder / next(self._models)
        for content, path in (
            (new.read_bytes(), champion),
            (_record(digest(new, "md5")), champion.with_suffix(".onnx.dvc")),
        ):
            beside = path.with_name("beside")
            beside.write_bytes(content)
            beside.replace(path)


def _record(md5: str) -> bytes:
    return yaml.safe_dump({"outs": [{"md5": md5, "hash": "md5", "path": paths.CHAMPION.name}]}).encode()
