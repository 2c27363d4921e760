"""Load on one URL: wrk where it is installed, else a small client of our own, which is slower and says so.

python -m bench.load URL FILE SECONDS CONNECTIONS
"""

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

_WRK = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("%s", "rb")
wrk.body = file:read("*a")
done = function(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  print(string.format("RESULT %%d %%f %%f %%d", summary.requests, summary.duration / 1e6, latency:percentile(99) / 1e3,
    failed))
end
"""


class Result(NamedTuple):
    """Requests a second, the 99th percentile of their times in milliseconds, and how many were not answered 200."""

    rate: float
    p99: float
    failed: int


def post(url: str, body: bytes, seconds: int, connections: int) -> Result:
    """Post the body again and again, on each connection one request at a time."""
    with tempfile.TemporaryDirectory() as folder:
        content, script = Path(folder) / "body", Path(folder) / "post.lua"
        content.write_bytes(body)
        script.write_text(_WRK % content)
        command = [sys.executable, "-m", "bench.load", url, str(content), str(seconds), str(connections)]
        if shutil.which("wrk"):
            command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"RESULT (\d+) (\S+) (\S+) (\d+)", done.stdout)
    if found is None:
        raise RuntimeError(done.stdout + done.stderr)
    requests, duration, p99, failed = map(float, found.groups())
    return Result(requests / duration, p99, int(failed))


async def _one(url: str, body: bytes, end: float, times: list[float], failed: list[bytes]) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    while time.perf_counter() < end:
        begun = time.perf_counter()
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", answer)
        await reader.readexactly(int(length[1]) if length else 0)
        times.append(time.perf_counter() - begun)
        if b" 200 " not in answer[:20]:
            failed.append(answer)
    writer.close()


async def _main(url: str, file: str, seconds: str, connections: str) -> None:
    times: list[float] = []
    failed: list[bytes] = []
    body = Path(file).read_bytes()
    begun = time.perf_counter()
    end = begun + float(seconds)
    await asyncio.gather(*(_one(url, body, end, times, failed) for _ in range(int(connections))))
    p99 = sorted(times)[int(len(times) * 0.99)] * 1000
    print(f"RESULT {len(times)} {time.perf_counter() - begun} {p99} {len(failed)}")


if __name__ == "__main__":
    import uvloop

    uvloop.run(_main(*sys.argv[1:]))
