"""Sign the champion with OpenSSF model-signing, for servers that verify it with MODEL_PUBLIC_KEY."""

import os
import tempfile
from pathlib import Path

from pipeline.contract.errors import PipelineError
from pipeline.contract.paths import CHAMPION
from pipeline.contract.signature import path_of
from pipeline.registry import module_runner
from pipeline.tables import atomic_files

KEY = "MODEL_SIGNING_KEY"
SIGNATURE = path_of(CHAMPION)


def sign(content: bytes) -> bytes | None:
    """Return the signature of a champion by the private key (PEM, elliptic) in MODEL_SIGNING_KEY; None without a key.

    Raises PipelineError with the message of model-signing where that fails.
    """
    key = os.environ.get(KEY)
    if not key:
        return None
    with tempfile.TemporaryDirectory() as folder:
        model, made = Path(folder) / CHAMPION.name, Path(folder) / SIGNATURE.name
        model.write_bytes(content)
        # On stdin, the key is in no file and in no list of processes.
        arguments = ["sign", "key", "--private_key", "/dev/stdin", "--signature", str(made), str(model)]
        done = module_runner.capture("model_signing", *arguments, text=key)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise PipelineError(f"{CHAMPION} could not be signed with {KEY}: {''.join(said)}")
        return made.read_bytes()


def sign_champion() -> str:
    """Sign the workspace's champion; return a line that says so.

    Raises PipelineError without a key or a champion.
    """
    if not CHAMPION.exists():
        raise PipelineError(f"{CHAMPION} is missing: run `python -m ops.registry restore`, then sign it")
    signature = sign(CHAMPION.read_bytes())
    if signature is None:
        raise PipelineError(f'{KEY} is not set: {KEY}="$(cat key.pem)" make sign')
    atomic_files.write_bytes(SIGNATURE, signature)
    return f"{SIGNATURE.as_posix()} signs {CHAMPION}: commit it"
