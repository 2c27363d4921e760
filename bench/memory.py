"""What a process and all that it starts took: memory, from /proc (Linux), and time of the processors."""

import ctypes
import os
import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

_ADOPT = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h
_PAUSE = 0.05  # seconds; a process that lives shorter may be missed


class Cost(NamedTuple):
    """Seconds, of the clock and of the processors; and MB (10^6 bytes): the highest peak (VmHWM) of a process, and the
    sum of all peaks, which is an upper bound, for they need not be at one time, and processes share pages."""

    seconds: float
    cpu: float
    largest: float
    all: float


def watch(process: "subprocess.Popen[str]") -> Cost:
    """Wait for its end, which `process.returncode` then tells; no other children may run meanwhile."""
    ctypes.CDLL(None).prctl(_ADOPT, 1, 0, 0, 0)
    started = time.perf_counter()
    peaks: dict[int, float] = {}
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        for pid in tree(process.pid):
            if found := re.search(r"VmHWM:\s+(\d+) kB", text(pid, "status")):
                peaks[pid] = int(found[1]) * 1024 / 1e6
        time.sleep(_PAUSE)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(ended[1])
    cpu = ended[2].ru_utime + ended[2].ru_stime + _orphans()
    return Cost(seconds, cpu, max(peaks.values(), default=0.0), sum(peaks.values()))


def _orphans() -> float:
    """The time of the processors that those took which it left behind; this process, which adopts them, waits."""
    taken = 0.0
    while True:
        try:
            _, _, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return taken
        taken += usage.ru_utime + usage.ru_stime


def tree(pid: int) -> list[int]:
    """Return a process and all that it started, as far as they live."""
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").glob("*"):
            found += map(int, text(each, f"task/{task.name}/children").split())
    return found


def text(pid: int, name: str) -> str:
    """Return the content of a file of /proc, empty where the process has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""
