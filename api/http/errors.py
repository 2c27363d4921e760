"""Errors as RFC 9457 problem documents: `type`, `title`, `status`, `detail`, and `errors` for a body that is no row."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec
from litestar.exceptions import HTTPException
from litestar.openapi import ResponseSpec
from litestar.plugins.problem_details import ProblemDetailsConfig, ProblemDetailsException, ProblemDetailsPlugin

from api.model.answers import NotFiniteError
from api.model.loader import NoModelError
from api.prediction_log.database import PAUSE, LogError
from api.prediction_log.repeats import KeyReusedError
from api.requests.batch import TooManyError
from api.requests.diagnostics import Mistake, MistakeInRow, RefusedError
from api.requests.strict_json import MalformedError

MEDIA_TYPE = "application/problem+json"
# Types with a meaning beyond the status; all others are `about:blank` (RFC 9457, section 4.2.1).
INVALID_FEATURES = "urn:problem-type:invalid-features"
NO_MODEL = "urn:problem-type:no-model"
NO_LOG = "urn:problem-type:no-log"
KEY_REUSED = "urn:problem-type:idempotency-key-reused"

log = logging.getLogger("uvicorn.error")


class Problem(msgspec.Struct, frozen=True):
    """The form of every error."""

    type: str
    title: str
    status: int
    detail: str


class InvalidFeatures(Problem, frozen=True):
    """The problem of a body: what is wrong with each field."""

    errors: list[Mistake]


class InvalidRows(Problem, frozen=True):
    """The problem of a batch: what is wrong with each field of its rows."""

    errors: list[MistakeInRow]


def problem(status: int, detail: str, kind: str = "about:blank", **more: Any) -> ProblemDetailsException:
    """Return an error to raise; `detail` tells the caller what was expected, what was found and what to do."""
    headers = more.pop("headers", None)
    title = "Invalid features" if kind == INVALID_FEATURES else HTTPStatus(status).phrase
    return ProblemDetailsException(
        status_code=status, title=title, detail=detail, type_=kind, headers=headers, extra=more
    )


def plugin() -> ProblemDetailsPlugin:
    """Return Litestar's plugin that answers each exception with its problem document."""
    problems: dict[type[Exception], Callable[[Any], ProblemDetailsException]] = {
        HTTPException: _http,
        MalformedError: lambda error: problem(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}"),
        RefusedError: _refused,
        NotFiniteError: _not_finite,
        TooManyError: lambda error: problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)),
        LogError: _no_log,
        KeyReusedError: lambda _: problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "expected the body that this Idempotency-Key came with before, found another; send it with a new key",
            KEY_REUSED,
            errors=[],
        ),
        NoModelError: lambda error: problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), NO_MODEL),
        Exception: _bug,
    }
    return ProblemDetailsPlugin(ProblemDetailsConfig(exception_to_problem_detail_map=problems))


def documented(status: int, description: str, form: type[Problem] = Problem) -> ResponseSpec:
    """Return a problem as the OpenAPI document shows it."""
    return ResponseSpec(form, generate_examples=False, description=description, media_type=MEDIA_TYPE)


def _refused(error: RefusedError) -> ProblemDetailsException:
    listed = len(error.mistakes)
    first = error.mistakes[0]
    row = f"row {first.row}, " if isinstance(first, MistakeInRow) and first.row is not None else ""
    detail = f"{row}{first.field or 'the body'}: expected {first.expected}"
    if error.total > 1:
        detail += f"; {error.total - 1} more"
    if error.total > listed:
        detail += f", of which {listed - 1} are listed"
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, detail, INVALID_FEATURES, errors=msgspec.to_builtins(error.mistakes)
    )


def _not_finite(error: NotFiniteError) -> ProblemDetailsException:
    first, *others = error.rows
    rows = f"row {first} and {len(others)} more" if others else f"row {first}"
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"the model has no finite answer to these values of {rows}: expected values nearer to those of the training "
        "rows",
        INVALID_FEATURES,
        errors=[],
    )


def _no_log(error: LogError) -> ProblemDetailsException:
    # The reason may name hosts and paths: it is in the server's log and not here.
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"the prediction log cannot be written now, so nothing is answered; try again in {PAUSE} s",
        NO_LOG,
        headers={"retry-after": str(PAUSE)},
    )


def _http(error: HTTPException) -> ProblemDetailsException:
    detail = error.detail
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = "there is nothing at this path; /openapi.json lists what there is"
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and error.headers:
        detail = f"expected one of the methods {error.headers['allow']}"
    return problem(error.status_code, detail, headers=error.headers)


def _bug(error: Exception) -> ProblemDetailsException:
    log.error("unexpected error in a request", exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "an error of the server; its log has the cause")
