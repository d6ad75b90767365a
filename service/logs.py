"""One JSON line for each request, and the same JSON for everything else that is logged.

What a line may say about a request is what `Exchange` holds: numbers, the route's template and
codes of our own. Never an image, a crop, a file name, a query string or a text the client sent;
the request id is taken over from the client only when it is a plain token.
"""

import json
import logging
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.headers import secured
from service.timing import Timing

CLIENT_LEFT = 499  # the status in logs and metrics for a client that went away, as nginx has it

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
QUIET_ROUTES = frozenset({"/health/live", "/health/ready", "/metrics"})

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Exchange:
    """One request and its answer, as far as logs, metrics and traces may know them.

    The routes fill in what they learn; the middleware does the rest.
    """

    request_id: str
    route: str = "unmatched"  # the path's template, never the path as it was sent
    status: int = CLIENT_LEFT
    code: str | None = None
    image_bytes: int | None = None
    complete_at: float | None = None  # when the last byte of the images was here, by perf_counter
    faces: int | None = None
    timings: list[Timing] = field(default_factory=list)  # one for each image that was analysed

    def images_came(self, image_bytes: int) -> None:
        """The images are here, so many bytes: from now on it is not the client who takes time."""
        self.image_bytes = image_bytes
        self.complete_at = time.perf_counter()

    def log_failure(self, error: BaseException) -> None:
        """Logs what went wrong here, and why, under the id of the request."""
        fields = {"request_id": self.request_id}
        logger.error("unexpected error", exc_info=error, extra={"fields": fields})


class Observer(Protocol):
    """What is told of every request; `service.metrics.Metrics` is one."""

    def request_started(self) -> None: ...

    def request_finished(self, route: str, method: str, status: int, seconds: float) -> None: ...

    def images_answered(self, route: str, seconds: float) -> None: ...


class ExchangeMiddleware:
    """Gives each request its id, catches what nothing else caught, logs and counts the answer."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        observer: Observer,
        crashed: Callable[[Exchange], Response],
        leaving: Callable[[], bool],
    ) -> None:
        """`crashed` makes the answer to an unexpected exception. While `leaving()`, answers close
        their connection, so that clients that keep theirs open find another replica.
        """
        self.app = app
        self.observer = observer
        self.crashed = crashed
        self.leaving = leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        self.observer.request_started()
        exchange = Exchange(_request_id(scope))
        scope.setdefault("state", {})["exchange"] = exchange
        answering = False

        async def send_marked(message: Message) -> None:
            nonlocal answering
            if message["type"] == "http.response.start":
                answering = True
                exchange.status = message["status"]
                headers = secured(message["headers"])
                headers.append((b"x-request-id", exchange.request_id.encode()))
                if self.leaving():
                    headers.append((b"connection", b"close"))
                message["headers"] = headers
            await send(message)

        try:
            await self.app(scope, receive, send_marked)
        except ClientDisconnect:
            exchange.status = CLIENT_LEFT
        except Exception as error:
            exchange.log_failure(error)
            if answering:
                raise  # half an answer is out: the server has to cut the connection
            await self.crashed(exchange)(scope, receive, send_marked)
        finally:
            ended = time.perf_counter()
            seconds = ended - started
            exchange.route = _route(scope) or exchange.route
            method = scope["method"]
            self.observer.request_finished(exchange.route, method, exchange.status, seconds)
            if exchange.complete_at is not None and exchange.status == 200:
                self.observer.images_answered(exchange.route, ended - exchange.complete_at)
            _log_exchange(exchange, method, seconds)


def _request_id(scope: Scope) -> str:
    offered = Headers(scope=scope).get("x-request-id", "")
    return offered if _REQUEST_ID.fullmatch(offered) else uuid.uuid4().hex


def _route(scope: Scope) -> str:
    """The template of the path that was routed to, or the place of the mount; "" for neither."""
    template: str = getattr(scope.get("route"), "path", "") or scope.get("root_path", "")
    return template


def _timing_ms(timings: Iterable[Timing]) -> dict[str, float]:
    """What each stage took for all images of a request."""
    spent: dict[str, float] = {}
    for timing in timings:
        for stage, seconds in {**timing.stages(), "total": timing.total}.items():
            spent[stage] = spent.get(stage, 0.0) + seconds
    return {stage: round(1000 * seconds, 3) for stage, seconds in spent.items()}


def _log_exchange(exchange: Exchange, method: str, seconds: float) -> None:
    level = logging.INFO
    if exchange.route in QUIET_ROUTES:
        level = logging.DEBUG
    elif exchange.status == 500:
        level = logging.ERROR
    if not logger.isEnabledFor(level):
        return
    fields = {
        "request_id": exchange.request_id,
        "method": method,
        "route": exchange.route,
        "status": exchange.status,
        "code": exchange.code,
        "bytes": exchange.image_bytes,
        "faces": exchange.faces,
        "timing_ms": _timing_ms(exchange.timings),
        "duration_ms": round(seconds * 1000, 3),
    }
    logger.log(level, "request", extra={"fields": fields})


class JsonFormatter(logging.Formatter):
    """One line of JSON a record: time, level, logger, message, and the record's own `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update(getattr(record, "fields", {}))
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def configure_logging(level: str) -> None:
    """Sends everything that this process logs to stdout as JSON, from `level` upwards."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
