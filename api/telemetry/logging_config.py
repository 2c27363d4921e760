"""The log of the process, to stderr through `logging`: text at a terminal, else one JSON object a line."""

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from api.settings import Settings

# The id of the request that is being answered; empty outside of one.
REQUEST_ID: ContextVar[str] = ContextVar("REQUEST_ID", default="")


class JsonFormatter(logging.Formatter):
    """A JSON object with time (UTC), level and message, and request id and traceback if there are any."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": stamp(record.created), "level": record.levelname, "message": record.getMessage()}
        if identity := REQUEST_ID.get():
            line["request_id"] = identity
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def is_json(settings: Settings) -> bool:
    """Return whether log lines are JSON: by LOG_FORMAT, else if stderr is no terminal."""
    return settings.log_format == "json" or (settings.log_format is None and not sys.stderr.isatty())


def config(settings: Settings) -> dict[str, Any]:
    """Return the configuration for `logging.config.dictConfig`, which Uvicorn calls in each worker."""
    level = settings.log_level.upper()
    text = {"()": "uvicorn.logging.DefaultFormatter", "fmt": "%(levelprefix)s %(message)s", "use_colors": None}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"default": {"()": "api.telemetry.logging_config.JsonFormatter"} if is_json(settings) else text},
        "handlers": {
            "default": {"class": "logging.StreamHandler", "formatter": "default", "stream": "ext://sys.stderr"}
        },
        "root": {"handlers": ["default"], "level": "WARNING"},
        "loggers": {
            "uvicorn": {"handlers": ["default"], "level": level, "propagate": False},
            "api": {"handlers": ["default"], "level": level, "propagate": False},
        },
    }


def stamp(seconds: float) -> str:
    """Format a time as ISO 8601 in UTC with milliseconds."""
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03d}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
