"""The server's settings: environment variables only, read once into one typed structure.

A field of `Settings` is the variable of the same name in capitals; its type holds what is allowed.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from api import keys
from api.keys import Key
from pipeline.contract.errors import PipelineError
from pipeline.contract.yaml_config import nearest

# A variable that begins so and nearly equals one of ours is a typing error. Others may belong to another program.
PREFIX = "API_"
# Kubernetes and Docker make such variables for a service named `api`.
SERVICE_LINK = re.compile(r"\w+_(SERVICE_(HOST|PORT(_\w+)?)=|PORT=\w+://|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?=)")

Bytes = Annotated[int, msgspec.Meta(ge=1, le=2**30)]


class Settings(msgspec.Struct, frozen=True):
    """All settings with their defaults.

    docs/serving.md explains each. Without `api_keys` the server is open to all, but for feedback. Without
    `allowed_hosts` every host is answered. Without `log_format` it is text at a terminal, JSON elsewhere. Without
    `bind_address` the address that the server is bound to is not known.
    """

    model_path: Path | None = None
    api_max_body: Bytes = 2**16
    git_revision: str | None = None
    api_keys: tuple[Key, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] | None = None
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    api_max_batch: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1000
    api_max_batch_body: Bytes = 2**23
    prediction_log_url: str = "sqlite:///data/log/predictions.db"
    log_synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL"
    log_required: bool = True
    log_max_days: Annotated[int, msgspec.Meta(ge=0, le=36_500)] = 0
    log_max_rows: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 10_000_000
    model_public_key: Path | None = None
    drain_seconds: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 0
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 8000
    bind_address: str | None = None
    allow_anonymous_feedback: bool = False
    root_path: str | None = None


_FIELDS = {field.name.upper(): field for field in msgspec.structs.fields(Settings)}
NAMES = tuple(_FIELDS)


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of this process. An empty variable counts as absent: images and shells set such.

    Raises PipelineError naming the variable, its value (not of keys) and what is allowed.
    """
    for name, text in environment.items():
        ours = name.startswith(PREFIX) and not SERVICE_LINK.match(f"{name}={text}")
        if ours and name not in NAMES and (question := nearest(name, NAMES)):
            raise PipelineError(
                f"environment variable {name}: no such setting{question}; correct its name or unset it. The settings "
                f"are {', '.join(NAMES)}"
            )
    return Settings(**{name.lower(): _value(name, environment[name]) for name in NAMES if environment.get(name)})


def _value(name: str, text: str) -> Any:
    try:
        return _parse(name, text)
    except ValueError as error:
        found = "" if name == "API_KEYS" else f", found {text!r}"
        raise PipelineError(f"environment variable {name}: expected {error}{found}; correct or unset it") from None


def _parse(name: str, text: str) -> Any:
    """Return the typed value of a variable.

    Raises ValueError saying what is expected.
    """
    if name == "API_KEYS":
        return keys.parse(_words(text))
    if name == "ALLOWED_HOSTS":
        return _hosts(text)
    if name == "ROOT_PATH" and not re.fullmatch(r"(/[\w.~-]+)+", text, re.ASCII):
        raise ValueError("a path such as /housing, without a slash at its end")
    given = _FIELDS[name].type
    kind = get_args(given)[0] if type(None) in get_args(given) else given
    if kind is bool:
        return _one_of(("true", "false"), text) == "true"
    if get_origin(kind) is Literal:
        return _one_of(get_args(kind), text)
    if get_origin(kind) is Annotated:
        return _whole_number(get_args(kind)[1], text)
    return kind(text)


def _whole_number(bounds: msgspec.Meta, text: str) -> int:
    try:
        # Decimal digits alone: msgspec would read 1e3 as a number too.
        return msgspec.convert(text if text.isdecimal() else "", Annotated[int, bounds], strict=False)
    except msgspec.ValidationError:
        raise ValueError(f"a whole number from {bounds.ge} to {bounds.le}") from None


def _one_of(allowed: tuple[str, ...], text: str) -> str:
    """Return the word of `allowed` that equals the text, whatever its case."""
    for word in allowed:
        if text.lower() == word.lower():
            return word
    raise ValueError(f"one of {', '.join(allowed)}")


def _words(text: str) -> tuple[str, ...]:
    """Return the words between commas. An empty one is refused: something is missing there."""
    words = tuple(word.strip() for word in text.split(","))
    if not all(re.fullmatch("[!-~]+", word) for word in words):
        raise ValueError("words of visible ASCII between commas, none empty and none with a space")
    return words


def _hosts(text: str) -> tuple[str, ...]:
    hosts = _words(text)
    if any("*" in host.removeprefix("*.") and host != "*" for host in hosts):
        raise ValueError("hosts such as example.com or *.example.com")
    return hosts
