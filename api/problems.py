"""Errors as RFC 9457 problem documents: `type`, `title`, `status`, `detail`, and `errors` for a body that is no row."""

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from litestar.exceptions import HTTPException
from litestar.openapi import ResponseSpec
from litestar.plugins.problem_details import ProblemDetailsConfig, ProblemDetailsException, ProblemDetailsPlugin

from api.explain import Mistake, RefusedError

MEDIA_TYPE = "application/problem+json"
# A type with a meaning beyond its status; all others are `about:blank`, as section 4.2.1 has it.
INVALID_FEATURES = "urn:problem-type:invalid-features"
NO_MODEL = "urn:problem-type:no-model"

log = logging.getLogger("uvicorn.error")


class Problem(msgspec.Struct, frozen=True):
    """The form of every error."""

    type: str
    title: str
    status: int
    detail: str


class InvalidFeatures(Problem, frozen=True):
    """What is wrong with each field of a body."""

    errors: list[Mistake]


def problem(status: int, detail: str, kind: str = "about:blank", **more: Any) -> ProblemDetailsException:
    """An error to raise; `detail` tells the caller what was expected, what was found and what to do."""
    headers = more.pop("headers", None)
    title = "Invalid features" if kind == INVALID_FEATURES else HTTPStatus(status).phrase
    return ProblemDetailsException(
        status_code=status, title=title, detail=detail, type_=kind, headers=headers, extra=more
    )


def no_model(reason: str) -> ProblemDetailsException:
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, reason, NO_MODEL)


def refused(error: RefusedError) -> ProblemDetailsException:
    listed = len(error.mistakes)
    first = error.mistakes[0]
    detail = f"{first.field or 'the body'}: expected {first.expected}"
    if error.total > 1:
        detail += f"; {error.total - 1} more"
    if error.total > listed:
        detail += f", of which {listed - 1} are listed"
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, detail, INVALID_FEATURES, errors=msgspec.to_builtins(error.mistakes)
    )


def plugin() -> ProblemDetailsPlugin:
    """Litestar's own plugin, with the phrase of the status as the title and the cause as the detail."""
    return ProblemDetailsPlugin(
        ProblemDetailsConfig(exception_to_problem_detail_map={HTTPException: _of_http, Exception: _of_bug})
    )


def documented(status: int, description: str) -> ResponseSpec:
    """A problem as the OpenAPI document shows it."""
    form = InvalidFeatures if status == HTTPStatus.UNPROCESSABLE_ENTITY else Problem
    return ResponseSpec(form, generate_examples=False, description=description, media_type=MEDIA_TYPE)


def _of_http(error: HTTPException) -> ProblemDetailsException:
    detail = error.detail
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = "there is nothing at this path; /openapi.json lists what there is"
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and error.headers:
        detail = f"expected one of the methods {error.headers['allow']}"
    return problem(error.status_code, detail, headers=error.headers)


def _of_bug(error: Exception) -> ProblemDetailsException:
    log.error("unexpected error in a request", exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "an error of the server; its log has the cause")
