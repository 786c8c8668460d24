"""Every answer that is not a result is problem+json (RFC 9457), with a code and a hint."""

import re
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, LitestarException
from litestar.openapi.datastructures import ResponseSpec
from msgspec import UNSET, Struct, UnsetType
from structlog.contextvars import get_contextvars

from application.errors import ApplicationError, TooMany
from domain.kernel import Refused

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = {429: 60, 503: 1}
HINTS: Final = {
    400: "Compare the request with /openapi.json.",
    404: "The addresses there are stand in /openapi.json.",
    405: "The Allow header names the methods.",
    413: "Send less at a time, or a file to an import.",
    415: "Send the body in a form that the Accept-Post header names, and say so in Content-Type.",
}
MEANINGS: Final = {
    400: "The request can't be understood.",
    401: "Nobody known is asking.",
    403: "The caller may not do this.",
    404: "There is no such thing for this caller.",
    406: "None of the forms that there are is accepted.",
    408: "The request did not come to its end in time.",
    409: "A rule said no; asking again unchanged can't help.",
    412: "Somebody else was first: read, then ask again.",
    413: "The body is larger than it may be.",
    415: "The body is in a form that is not taken.",
    429: "Too many requests: wait, then ask again.",
    431: "The address and the headers are larger than they may be.",
    503: "A server is away or busy; nothing was lost, so ask again later.",
}
BUG: Final = (
    "internal",
    "Something went wrong here, and it is no fault of the request.",
    "Ask again; if it stays, report the instance of this answer.",
)
FILTER: Final = re.compile(r"filter_(\w+)_([a-z]+)")
log = structlog.get_logger()


class Fault(Struct, frozen=True, kw_only=True):
    """One thing that is wrong with the input, and where."""

    detail: str
    field: str | None = None

    def __str__(self) -> str:
        return f"{self.field}: {self.detail}" if self.field else self.detail


class Problem(Struct, frozen=True, kw_only=True):
    """What went wrong, for programs (code) and for people (detail, hint)."""

    title: str
    status: int
    detail: str
    code: str
    hint: str
    type: str = "about:blank"
    instance: str | UnsetType = UNSET
    faults: list[Fault] | UnsetType = UNSET


def documented(*statuses: int) -> dict[int, ResponseSpec]:
    """Describe the errors of an operation for OpenAPI."""
    return {
        status: ResponseSpec(
            data_container=Problem,
            description=MEANINGS[status],
            media_type=MEDIA_TYPE,
            generate_examples=False,
        )
        for status in statuses
    }


def application_error(
    _request: Request[Any, Any, Any],
    error: ApplicationError,
    headers: dict[str, str] | None = None,
) -> Response[bytes]:
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request.not_served", code=error.code, reason=error.message)
    if isinstance(error, TooMany) and error.wait_seconds:
        headers = {**(headers or {}), "Retry-After": str(error.wait_seconds)}
    return answer(error.status, error.code, error.message, error.hint, headers=headers)


def refused(_request: Request[Any, Any, Any], error: Refused) -> Response[bytes]:
    return answer(HTTPStatus.CONFLICT, error.code, error.message, error.hint)


def http_error(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what the framework found: no such address, another method, input of another shape."""
    status = HTTPStatus(error.status_code)
    code = "input.invalid" if status == HTTPStatus.BAD_REQUEST else _code_of(status)
    faults = _faults(error)
    return answer(
        status,
        code,
        "; ".join(map(str, faults)) or error.detail or status.description,
        HINTS.get(status, "Mend the request, then ask again."),
        faults=faults or UNSET,
        headers=dict(error.headers or {}),
    )


def too_deep(_request: Request[Any, Any, Any], _error: RecursionError) -> Response[bytes]:
    """Answer JSON whose brackets lie deeper than any shape of ours."""
    return answer(400, "input.invalid", "The JSON is nested too deeply.", HINTS[400])


def not_utf8(_request: Request[Any, Any, Any], _error: UnicodeDecodeError) -> Response[bytes]:
    """Answer bytes that are no text."""
    return answer(400, "input.invalid", "The body is not UTF-8.", HINTS[400])


def bug(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Say nothing of a bug to the caller but the id under which the log tells all."""
    log.error("request.failed", exc_info=error)
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, *BUG)


def problem_of(error: Exception) -> Problem:
    """Say what broke off an answer that had begun."""
    if isinstance(error, ApplicationError):
        return _problem(error.status, error.code, error.message, error.hint)
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, *BUG)


def answer(
    status: int,
    code: str,
    detail: str,
    hint: str,
    *,
    faults: list[Fault] | UnsetType = UNSET,
    headers: dict[str, str] | None = None,
) -> Response[bytes]:
    """Make a problem of its parts."""
    problem = _problem(status, code, detail, hint, faults)
    headers = headers or {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status in RETRY_AFTER_SECONDS:
        headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS[status]))
    return Response(
        msgspec.json.encode(problem), status_code=status, media_type=MEDIA_TYPE, headers=headers
    )


def _problem(
    status: int, code: str, detail: str, hint: str, faults: list[Fault] | UnsetType = UNSET
) -> Problem:
    request_id = get_contextvars().get("request_id")
    return Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        hint=hint,
        instance=f"urn:request:{request_id}" if request_id else UNSET,
        faults=faults,
    )


def _code_of(status: HTTPStatus) -> str:
    return f"http.{status.name.lower()}"


def _as_sent(argument: str | None) -> str | None:
    """Name a filter as it stands in the query: ``filter_due_gt`` is ``filter[due][gt]``."""
    found = FILTER.fullmatch(argument or "")
    if found is None:
        return argument
    return f"filter[{found[1]}]" + ("" if found[2] in {"eq", "words"} else f"[{found[2]}]")


def _faults(error: HTTPException) -> list[Fault]:
    extra = error.extra if isinstance(error.extra, list) else []
    return [
        Fault(detail=str(each.get("message", "")), field=_as_sent(each.get("key")))
        for each in extra
        if isinstance(each, dict)
    ]


HANDLERS: Final[dict[int | type[Exception], Any]] = {  # Any: each takes its own error.
    ApplicationError: application_error,
    Refused: refused,
    HTTPException: http_error,
    RecursionError: too_deep,
    UnicodeDecodeError: not_utf8,
    LitestarException: bug,
    Exception: bug,
}
