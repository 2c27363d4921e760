"""Sign the champion with OpenSSF model-signing, for servers that have MODEL_PUBLIC_KEY."""

import os
from pathlib import Path

from pipeline.contract.errors import PipelineError
from pipeline.contract.paths import CHAMPION
from pipeline.registry import module_runner
from pipeline.tables import atomic_files

KEY = "MODEL_SIGNING_KEY"
SIGNATURE = Path("models/champion.onnx.sig")


def sign() -> list[str]:
    """Sign models/champion.onnx with the private key (PEM, elliptic) in the environment; what is to be committed:
    nothing without a key.

    Raises PipelineError where model-signing fails, in its own words.
    """
    key = os.environ.get(KEY)
    if not key:
        return []
    with atomic_files.replacing(SIGNATURE) as partial:
        # The key itself goes neither to a file nor to the list of processes.
        command = ["sign", "key", "--private_key", "/dev/stdin", "--signature", str(partial), str(CHAMPION)]
        done = module_runner.capture("model_signing", *command, text=key)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise PipelineError(f"{CHAMPION} could not be signed with {KEY}: {''.join(said)}")
    return [SIGNATURE.as_posix()]


def sign_champion() -> str:
    """Sign a champion that has no signature yet, and say so in one line.

    Raises PipelineError without a key.
    """
    if not os.environ.get(KEY):
        raise PipelineError(f'{KEY} is not set: {KEY}="$(cat key.pem)" make sign')
    return f"{', '.join(sign())} signs {CHAMPION}: commit it"
