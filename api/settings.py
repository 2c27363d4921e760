"""The server's settings: from the environment only, read once, typed; what is not valid stops the start by name."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from stages.errors import PipelineError

LOG_URL = "sqlite:///data/log/predictions.db"


class Settings(msgspec.Struct, frozen=True):
    """`model_path` (MODEL_PATH): the file to serve in place of the project's own models. `max_body` (API_MAX_BODY):
    the largest request body in bytes. `git_revision` (GIT_REVISION): the commit that the code was built from.

    `max_batch` (API_MAX_BATCH) and `max_batch_body` (API_MAX_BATCH_BODY): the rows and bytes of a batch.
    `log_url` (PREDICTION_LOG_URL), `log_synchronous` (LOG_SYNCHRONOUS, of SQLite), `log_required` (LOG_REQUIRED):
    where predictions are logged, how surely, and whether one may be answered without that. `log_max_days`
    (LOG_MAX_DAYS) and `log_max_rows` (LOG_MAX_ROWS): what is kept, 0 for all."""

    model_path: Path | None = None
    max_body: int = 65536
    git_revision: str | None = None
    max_batch: int = 1000
    max_batch_body: int = 2**23
    log_url: str = LOG_URL
    log_synchronous: str = "FULL"
    log_required: bool = True
    log_max_days: int = 0
    log_max_rows: int = 0


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process; a variable that is empty counts as absent, as images and shells set such.

    Raises PipelineError naming the variable, its value and what is allowed.
    """
    path = environment.get("MODEL_PATH")
    return Settings(
        model_path=Path(path) if path else None,
        max_body=whole_number(environment, "API_MAX_BODY", 65536, 1, 2**30),
        git_revision=environment.get("GIT_REVISION") or None,
        max_batch=whole_number(environment, "API_MAX_BATCH", 1000, 1, 100_000),
        max_batch_body=whole_number(environment, "API_MAX_BATCH_BODY", 2**23, 1, 2**30),
        log_url=environment.get("PREDICTION_LOG_URL") or LOG_URL,
        log_synchronous=choice(environment, "LOG_SYNCHRONOUS", ("FULL", "NORMAL", "OFF")),
        log_required=choice(environment, "LOG_REQUIRED", ("true", "false")) == "true",
        log_max_days=whole_number(environment, "LOG_MAX_DAYS", 0, 0, 36_500),
        log_max_rows=whole_number(environment, "LOG_MAX_ROWS", 0, 0, 2**53),
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


def choice(environment: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    """The variable as one of these words, in capitals or not; the first where it is absent.

    Raises PipelineError for anything else.
    """
    text = environment.get(name) or allowed[0]
    for word in allowed:
        if text.lower() == word.lower():
            return word
    raise PipelineError(
        f"environment variable {name}: expected {' or '.join(allowed)}, found {text!r}; "
        f"correct it, or unset it for {allowed[0]}"
    )
