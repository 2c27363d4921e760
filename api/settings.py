"""The server's settings: from the environment only, read once, typed; what is not valid stops the start by name."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from stages.errors import PipelineError


class Settings(msgspec.Struct, frozen=True):
    """`model_path` (MODEL_PATH): the file to serve in place of the project's own models. `max_body` (API_MAX_BODY):
    the largest request body in bytes. `git_revision` (GIT_REVISION): the commit that the code was built from."""

    model_path: Path | None = None
    max_body: int = 65536
    git_revision: str | None = None


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process; a variable that is empty counts as absent, as images and shells set such.

    Raises PipelineError naming the variable, its value and what is allowed.
    """
    path = environment.get("MODEL_PATH")
    return Settings(
        model_path=Path(path) if path else None,
        max_body=whole_number(environment, "API_MAX_BODY", 65536, 1, 2**30),
        git_revision=environment.get("GIT_REVISION") or None,
    )


def whole_number(environment: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """The variable as a whole number from `low` to `high`, or `default` where it is absent.

    Raises PipelineError for anything else.
    """
    text = environment.get(name)
    if not text:
        return default
    # isdecimal and not int(): that would also take `1_000` and spaces.
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and low <= int(text) <= high):
        raise PipelineError(
            f"environment variable {name}: expected a whole number from {low} to {high}, found {text!r}; "
            f"correct it, or unset it for {default}"
        )
    return int(text)
