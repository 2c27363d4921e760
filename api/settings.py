"""The server's settings: from the environment only, read once, typed; what is not valid stops the start by name."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from api.http import auth
from pipeline.contract.errors import PipelineError
from pipeline.contract.yaml_config import nearest

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]
Synchronous = Literal["FULL", "NORMAL", "OFF"]

LOG_URL = "sqlite:///data/log/predictions.db"
NAMES = (
    "MODEL_PATH",
    "MODEL_PUBLIC_KEY",
    "GIT_REVISION",
    "PORT",
    "WORKERS",
    "ALLOWED_HOSTS",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "API_MAX_BODY",
    "API_MAX_BATCH",
    "API_MAX_BATCH_BODY",
    "API_KEYS",
    "PREDICTION_LOG_URL",
    "LOG_SYNCHRONOUS",
    "LOG_REQUIRED",
    "LOG_MAX_DAYS",
    "LOG_MAX_ROWS",
)
# A variable that begins so and is nearly one of ours is a slip. Others may belong to another program.
PREFIX = "API_"


class Settings(msgspec.Struct, frozen=True):
    """`model_path` (MODEL_PATH): the file to serve in place of the project's own models. `public_key`
    (MODEL_PUBLIC_KEY): the file with the key that must have signed it. `max_body` (API_MAX_BODY): the largest request
    body in bytes. `git_revision` (GIT_REVISION): the commit that the code was built from.
    `api_keys` (API_KEYS): SHA-256 of each key, none for a server that is open to all. `allowed_hosts` (ALLOWED_HOSTS):
    the Host headers that are answered, all where empty. `log_format` (LOG_FORMAT): by default text at a terminal and
    JSON elsewhere. `max_batch` (API_MAX_BATCH), `max_batch_body` (API_MAX_BATCH_BODY): the rows and bytes of a batch.

    The prediction log: `log_url` (PREDICTION_LOG_URL), `log_synchronous` (LOG_SYNCHRONOUS, of SQLite), `log_required`
    (LOG_REQUIRED) say where predictions are logged, how surely, and whether one may be answered without that;
    `log_max_days` (LOG_MAX_DAYS), `log_max_rows` (LOG_MAX_ROWS) what is kept, 0 for all."""

    model_path: Path | None = None
    max_body: int = 65536
    git_revision: str | None = None
    api_keys: tuple[bytes, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    log_level: LogLevel = "info"
    log_format: LogFormat | None = None
    workers: int = 1
    max_batch: int = 1000
    max_batch_body: int = 2**23
    log_url: str = LOG_URL
    log_synchronous: Synchronous = "FULL"
    log_required: bool = True
    log_max_days: int = 0
    log_max_rows: int = 0
    public_key: Path | None = None


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process; a variable that is empty counts as absent, as images and shells set such.

    Raises PipelineError naming the variable, its value (but for keys) and what is allowed.
    """
    _check_names(environment)
    path, key = environment.get("MODEL_PATH"), environment.get("MODEL_PUBLIC_KEY")
    return Settings(
        model_path=Path(path) if path else None,
        public_key=Path(key) if key else None,
        max_body=whole_number(environment, "API_MAX_BODY", 65536, 1, 2**30),
        git_revision=environment.get("GIT_REVISION") or None,
        api_keys=tuple(map(auth.digest, _listed(environment, "API_KEYS", secret=True))),
        allowed_hosts=_hosts(environment, "ALLOWED_HOSTS"),
        log_level=_one_of(environment, "LOG_LEVEL", get_args(LogLevel), "info"),
        log_format=_one_of(environment, "LOG_FORMAT", get_args(LogFormat), None),
        workers=whole_number(environment, "WORKERS", 1, 1, 64),
        max_batch=whole_number(environment, "API_MAX_BATCH", 1000, 1, 100_000),
        max_batch_body=whole_number(environment, "API_MAX_BATCH_BODY", 2**23, 1, 2**30),
        log_url=environment.get("PREDICTION_LOG_URL") or LOG_URL,
        log_synchronous=_one_of(environment, "LOG_SYNCHRONOUS", get_args(Synchronous), "FULL"),
        log_required=_one_of(environment, "LOG_REQUIRED", ("true", "false"), "true") == "true",
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


def _one_of(environment: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str | None) -> Any:
    """The variable as one of these words, in capitals or not."""
    text = environment.get(name)
    if not text:
        return default
    for word in allowed:
        if text.lower() == word.lower():
            return word
    raise PipelineError(
        f"environment variable {name}: expected one of {', '.join(allowed)}, found {text!r}; correct or unset it"
    )


def _listed(environment: Mapping[str, str], name: str, secret: bool = False) -> tuple[str, ...]:
    """Words between commas. An empty one is a slip: what was meant to be there would be missing."""
    text = environment.get(name)
    words = [word.strip() for word in text.split(",")] if text else []
    for word in words:
        if not word.isascii() or not word.isprintable() or not word or " " in word:
            found = "" if secret else f", found {text!r}"
            raise PipelineError(
                f"environment variable {name}: expected words of visible ASCII between commas, none empty and none "
                f"with a space{found}; correct or unset it"
            )
    return tuple(words)


def _hosts(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    hosts = _listed(environment, name)
    for host in hosts:
        if "*" in host.removeprefix("*.") and host != "*":
            raise PipelineError(
                f"environment variable {name}: expected hosts such as example.com or *.example.com, found {host!r}; "
                "correct or unset it"
            )
    return hosts


def _check_names(environment: Mapping[str, str]) -> None:
    for name in environment:
        if name.startswith(PREFIX) and name not in NAMES and (question := nearest(name, NAMES)):
            raise PipelineError(
                f"environment variable {name}: no such setting{question}; correct its name or unset it. The settings "
                f"are {', '.join(NAMES)}"
            )
