"""Commands whose libraries are imported already.

Importing pandas, scikit-learn, xgboost and DVC takes a command one to two seconds of CPU, and `dvc repro` is eight
commands. Here a server imports them once, and `python -m NAME` is a fork of it: a process of its own that imports the
project's modules from its own folder.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

LIBRARIES = """
    dvc.api dvc.cli.parser dvc.compare dvc.repo.experiments.queue.celery dvc.repo.reproduce gto.api joblib litestar
    multiprocessing.dummy networkx numpy onnx onnxmltools.convert.xgboost pandas pyarrow.csv pyarrow.dataset
    pyarrow.parquet pygit2 scipy.stats skl2onnx sklearn.ensemble sklearn.linear_model sklearn.model_selection
    sklearn.pipeline sqlalchemy.dialects.sqlite xgboost
"""

# What is no `-m NAME` goes to the real interpreter.
CLIENT = """#!{python} -ISB
import json, os, socket, sys
arguments = sys.argv[1:] if sys.argv[0].endswith("python") else ["-m", "dvc", *sys.argv[1:]]
if arguments[:1] != ["-m"]:
    os.execv({python!r}, [{python!r}, *arguments])
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.connect({address!r})
asked = json.dumps([arguments[1:], os.getcwd(), dict(os.environ)])
socket.send_fds(server, [asked.encode()], [0, 1, 2])
code = int(server.recv(100))
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


class Forks:
    """A server that runs as long as this process; `python` asks it."""

    def __init__(self, folder: Path) -> None:
        address = str(folder / "socket")
        for name in ("python", "dvc"):
            client = folder / name
            client.write_text(CLIENT.format(python=sys.executable, address=address))
            client.chmod(0o755)
        self.python = str(folder / "python")
        command = [sys.executable, __file__, address, self.python]
        self._server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._server.stdout.readline() == "ready\n"

    def stop(self) -> None:
        self._server.communicate()


def serve(listener: socket.socket) -> list[str]:
    """Fork for each client; return in the fork, with the command that it is to run. End with standard input."""
    signal.signal(signal.SIGCHLD, _reap)
    while listener in select.select([listener, sys.stdin], [], [])[0]:
        client, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            return start(client)
        client.close()
    sys.exit()


def _reap(*_: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def start(client: socket.socket) -> list[str]:
    """Fork once more: one process runs the command, and this one tells the client how it ended."""
    asked, files, _, _ = socket.recv_fds(client, 1 << 20, 3)
    if pid := os.fork():
        if client in select.select([client, os.pidfd_open(pid)], [], [])[0]:
            os.kill(pid, signal.SIGKILL)  # as the client was
        client.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
        os._exit(0)
    client.close()
    command, folder, environment = json.loads(asked)
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, folder)
    return command


def leave() -> None:
    """End at once: taking all the libraries down costs more than most commands."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    status = 0
    atexit.register(leave)  # the first, so it runs after what the libraries register
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(sys.argv[1])
        listening.listen(64)
        del sys.path[0]  # the folder of the tests
        for library in LIBRARIES.split():
            importlib.import_module(library)
        gc.freeze()  # or the collector would copy all that the forks share
        print("ready", flush=True)
        sys.executable = sys.argv[2]
        module, *sys.argv[1:] = serve(listening)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        status = 1
        raise
