"""The server's settings: environment variables only, read once into one typed structure.

A field of `Settings` is the variable of the same name in capitals; its type holds what is allowed.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from api.http import auth
from pipeline.contract.errors import PipelineError
from pipeline.contract.yaml_config import nearest

# A variable that begins so and is nearly one of ours is a slip. Others may belong to another program.
PREFIX = "API_"

Bytes = Annotated[int, msgspec.Meta(ge=1, le=2**30)]


class Settings(msgspec.Struct, frozen=True):
    """All settings with their defaults.

    `model_path`: the file to serve in place of the project's own models; `model_public_key`: the file with the key that
    must have signed it; `git_revision`: the commit that the code was built from. `api_max_body`, `api_max_batch_body`:
    the largest request bodies, in bytes; `api_max_batch`: the rows of a batch. `api_keys`: SHA-256 of each key, none
    for a server that is open to all; `allowed_hosts`: the Host headers that are answered, none for all. `log_format`:
    text at a terminal and JSON elsewhere, where it is not set.

    The prediction log: `prediction_log_url` and `log_synchronous` (of SQLite) say where and how durably predictions are
    logged, `log_required` whether a prediction may be answered without; `log_max_days` and `log_max_rows` limit what is
    kept, 0 for no limit.
    """

    model_path: Path | None = None
    api_max_body: Bytes = 2**16
    git_revision: str | None = None
    api_keys: tuple[bytes, ...] = ()
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
    log_max_rows: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    model_public_key: Path | None = None
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 8000


_FIELDS = {field.name.upper(): field for field in msgspec.structs.fields(Settings)}
NAMES = tuple(_FIELDS)


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of this process. An empty variable counts as absent: images and shells set such.

    Raises PipelineError naming the variable, its value (not of keys) and what is allowed.
    """
    for name in environment:
        if name.startswith(PREFIX) and name not in NAMES and (question := nearest(name, NAMES)):
            raise PipelineError(
                f"environment variable {name}: no such setting{question}; correct its name or unset it. The settings "
                f"are {', '.join(NAMES)}"
            )
    given = {name: field for name, field in _FIELDS.items() if environment.get(name)}
    return Settings(**{field.name: _parse(name, field, environment[name]) for name, field in given.items()})


def _parse(name: str, field: msgspec.structs.FieldInfo, text: str) -> Any:
    """The typed value of a variable."""
    kinds = [kind for kind in get_args(field.type) if kind is not type(None)]
    if name == "API_KEYS":
        return tuple(map(auth.digest, _words(name, text, secret=True)))
    if name == "ALLOWED_HOSTS":
        return _hosts(name, text)
    if field.type is bool:
        return _one_of(name, text, ("true", "false")) == "true"
    if get_origin(field.type) is Literal or (kinds and get_origin(kinds[0]) is Literal):
        return _one_of(name, text, kinds if get_origin(field.type) is Literal else get_args(kinds[0]))
    if get_origin(field.type) is Annotated:
        return _whole_number(name, text, field)
    return Path(text) if Path in kinds else text


def _whole_number(name: str, text: str, field: msgspec.structs.FieldInfo) -> int:
    try:
        # Decimal digits alone: msgspec would read 1e3 as a number too.
        return int(msgspec.convert(text if text.isdecimal() else "", field.type, strict=False))
    except msgspec.ValidationError:
        bounds = get_args(field.type)[1]
        raise PipelineError(
            f"environment variable {name}: expected a whole number from {bounds.ge} to {bounds.le}, found {text!r}; "
            f"correct it, or unset it for {field.default}"
        ) from None


def _one_of(name: str, text: str, allowed: Any) -> str:
    """The word of `allowed` that the text is, in capitals or not."""
    for word in allowed:
        if text.lower() == word.lower():
            return str(word)
    raise PipelineError(
        f"environment variable {name}: expected one of {', '.join(allowed)}, found {text!r}; correct or unset it"
    )


def _words(name: str, text: str, secret: bool = False) -> tuple[str, ...]:
    """The words between commas. An empty one is a slip: what was meant to be there would be missing."""
    words = tuple(word.strip() for word in text.split(","))
    for word in words:
        if not word.isascii() or not word.isprintable() or not word or " " in word:
            found = "" if secret else f", found {text!r}"
            raise PipelineError(
                f"environment variable {name}: expected words of visible ASCII between commas, none empty and none "
                f"with a space{found}; correct or unset it"
            )
    return words


def _hosts(name: str, text: str) -> tuple[str, ...]:
    hosts = _words(name, text)
    for host in hosts:
        if "*" in host.removeprefix("*.") and host != "*":
            raise PipelineError(
                f"environment variable {name}: expected hosts such as example.com or *.example.com, found {host!r}; "
                "correct or unset it"
            )
    return hosts
