"""Sign the champion with OpenSSF model-signing, for servers that have MODEL_PUBLIC_KEY.

    MODEL_SIGNING_KEY="$(cat key.pem)" python -m stages.sign

Promote and rollback do it themselves where MODEL_SIGNING_KEY is set; this is for a champion that has no signature yet.
"""

import os
import subprocess
import sys
from pathlib import Path

from stages import errors, files
from stages.errors import PipelineError
from stages.promotion.production import CHAMPION

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
    with files.replacing(SIGNATURE) as partial:
        # The key itself goes neither to a file nor to the list of processes.
        command = ["sign", "key", "--private_key", "/dev/stdin", "--signature", str(partial), str(CHAMPION)]
        done = subprocess.run(
            [sys.executable, "-m", "model_signing", *command], input=key, capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise PipelineError(f"{CHAMPION} could not be signed with {KEY}: {''.join(said)}")
    return [SIGNATURE.as_posix()]


def main() -> None:
    if not os.environ.get(KEY):
        raise PipelineError(f'{KEY} is not set: {KEY}="$(cat key.pem)" make sign')
    print(f"{', '.join(sign())} signs {CHAMPION}: commit it")


if __name__ == "__main__":
    errors.run(main)
