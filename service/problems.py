"""Errors as answers: `application/problem+json` (RFC 9457) for every path."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.errors import ServiceError
from service.logs import Exchange
from service.schemas import Problem
from service.state import exchange_of


async def on_service_error(request: Request, error: ServiceError) -> Response:
    """The answer to an error of ours."""
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="mien"'  # RFC 9110, section 11.6.1
    if error.status == HTTPStatus.REQUEST_TIMEOUT:
        headers["Connection"] = "close"  # RFC 9110, section 15.5.9
    exchange = exchange_of(request)
    if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        exchange.log_failure(error)
    return _refusal(exchange, Problem.of(error, exchange.request_id), headers)


async def on_http_exception(request: Request, error: HTTPException) -> Response:
    """The answer to one of the framework's own: no such path, no such method."""
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "_")
    exchange = exchange_of(request)
    problem = Problem.about(
        status, code, status.phrase, f"{status.description}.", exchange.request_id
    )
    return _refusal(exchange, problem, dict(error.headers or {}))


def crashed(exchange: Exchange) -> Response:
    """The answer to what nobody expected; it tells nothing of the cause."""
    error = ServiceError("Something unexpected happened; the log has it under this request's id.")
    return _refusal(exchange, Problem.of(error, exchange.request_id), {})


def _refusal(exchange: Exchange, problem: Problem, headers: dict[str, str]) -> Response:
    exchange.code = problem.code
    return Response(
        problem.model_dump_json(),
        status_code=problem.status,
        headers=headers,
        media_type="application/problem+json",
    )
