import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.types import Message

from service.logs import CLIENT_LEFT, Exchange, ExchangeMiddleware, JsonFormatter, configure_logging
from service.timing import Timing


class Ledger:
    """Writes down what a middleware tells of requests."""

    def __init__(self) -> None:
        self.started = 0
        self.finished: list[tuple[str, str, int]] = []
        self.answered: list[str] = []

    def request_started(self) -> None:
        self.started += 1

    def request_finished(self, route: str, method: str, status: int, seconds: float) -> None:
        assert seconds > 0
        self.seconds = seconds
        self.finished.append((route, method, status))

    def images_answered(self, route: str, seconds: float) -> None:
        assert 0 < seconds < self.seconds  # the time that it took to send them is not in it
        self.answered.append(route)


class Lines(logging.Handler):
    """The JSON lines that were logged."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.entries: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        assert "\n" not in line
        self.entries.append(json.loads(line))


async def well(request: Request) -> Response:
    exchange: Exchange = request.scope["state"]["exchange"]
    exchange.images_came(100)
    exchange.faces = 2
    for decode in (0.0015, 0.00025):
        exchange.timings.append(Timing(decode, detect=0, queue=0, inference=0.1, total=0.2))
    return PlainTextResponse("fine")


async def bug(request: Request) -> Response:
    request.scope["state"]["exchange"].images_came(100)
    raise RuntimeError("a bug")


async def leave(request: Request) -> Response:
    raise ClientDisconnect


async def half(request: Request) -> Response:
    async def content() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("a bug")

    return StreamingResponse(content())


def crashed(exchange: Exchange) -> Response:
    exchange.code = "internal_error"
    return PlainTextResponse("sorry", status_code=500)


class Front:
    """An application behind the middleware, and what it told."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.leaving = False
        middleware = Middleware(
            ExchangeMiddleware,
            observer=self.ledger,
            crashed=crashed,
            leaving=lambda: self.leaving,
        )
        routes = [Route(f"/{end.__name__}/{{x}}", end) for end in (well, bug, leave, half)]
        self.app = Starlette(
            routes=[*routes, Route("/health/live", well), Mount("/mount", routes=routes)],
            middleware=[middleware],
        )
        self.client = TestClient(self.app)


@pytest.fixture
def front() -> Front:
    return Front()


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    logger = logging.getLogger("service.logs")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def test_one_line_tells_of_a_request(front: Front, lines: Lines) -> None:
    front.client.get("/well/secret-path?secret=query", headers={"X-Request-ID": "abc-1"})

    (entry,) = lines.entries
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", entry.pop("time"))
    assert entry.pop("duration_ms") > 0
    assert entry == {
        "level": "info",
        "logger": "service.logs",
        "message": "request",
        "request_id": "abc-1",
        "method": "GET",
        "route": "/well/{x}",
        "status": 200,
        "code": None,
        "bytes": 100,
        "faces": 2,
        "timing_ms": {"decode": 1.75, "inference": 200.0, "total": 400.0},
    }


def test_a_request_is_counted_once(front: Front) -> None:
    front.client.get("/well/1")
    front.client.post("/well/1")
    front.client.get("/nowhere")

    assert front.ledger.started == 3
    assert front.ledger.finished == [
        ("/well/{x}", "GET", 200),
        ("/well/{x}", "POST", 405),
        ("unmatched", "GET", 404),
    ]


def test_images_are_answered_by_a_200(front: Front) -> None:
    for path in ("/well/1", "/bug/1", "/nowhere"):
        front.client.get(path)

    assert front.ledger.answered == ["/well/{x}"]


def test_a_mount_is_named_by_its_path(front: Front) -> None:
    front.client.get("/mount/nowhere")

    assert front.ledger.finished == [("/mount", "GET", 404)]


@pytest.mark.parametrize(
    "offered", ["a", "0f8fad5b-d9cb-469f-a165-70867728950e", "x" * 64, "A.b_c"]
)
def test_a_plain_request_id_is_taken_over(front: Front, offered: str) -> None:
    answer = front.client.get("/well/1", headers={"X-Request-ID": offered})

    assert answer.headers["x-request-id"] == offered


@pytest.mark.parametrize(
    "offered", ["", "x" * 65, "two words", 'quote"', "a\tb", "é", "a;b", "a/b"]
)
def test_any_other_request_id_is_replaced(front: Front, lines: Lines, offered: str) -> None:
    answer = front.client.get("/well/1", headers={b"X-Request-ID": offered.encode()})

    given = answer.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", given)
    assert lines.entries[0]["request_id"] == given


def test_every_answer_forbids_sniffing(front: Front) -> None:
    for path in ("/well/1", "/bug/1", "/nowhere"):
        assert front.client.get(path).headers["x-content-type-options"] == "nosniff"


def test_connections_close_while_leaving(front: Front) -> None:
    before = front.client.get("/well/1")
    front.leaving = True
    after = front.client.get("/well/1")

    assert "connection" not in before.headers
    assert after.headers["connection"] == "close"


def test_an_unexpected_error_is_answered_and_its_traceback_logged(
    front: Front, lines: Lines
) -> None:
    answer = front.client.get("/bug/1", headers={"X-Request-ID": "r1"})

    assert (answer.status_code, answer.text) == (500, "sorry")
    assert answer.headers["x-request-id"] == "r1"
    error, request = lines.entries
    assert (error["level"], error["request_id"]) == ("error", "r1")
    assert error["traceback"].endswith("RuntimeError: a bug")
    assert (request["level"], request["status"], request["code"]) == (
        "error",
        500,
        "internal_error",
    )
    assert front.ledger.finished == [("/bug/{x}", "GET", 500)]


def test_half_an_answer_is_cut_off(front: Front, lines: Lines) -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        front.client.get("/half/1")

    assert [entry["message"] for entry in lines.entries] == ["unexpected error", "request"]


@pytest.mark.anyio
async def test_a_client_that_left_is_no_error(front: Front, lines: Lines) -> None:
    scope = {"type": "http", "method": "GET", "path": "/leave/1", "headers": []}
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await front.app(scope, receive, send)

    assert sent == []
    (entry,) = lines.entries
    assert (entry["level"], entry["status"]) == ("info", CLIENT_LEFT)


def test_probes_are_quiet(front: Front, lines: Lines) -> None:
    front.client.get("/health/live")

    assert lines.entries[0]["level"] == "debug"


def test_below_the_level_nothing_is_logged(front: Front, lines: Lines) -> None:
    logging.getLogger("service.logs").setLevel(logging.WARNING)

    front.client.get("/well/1")

    assert lines.entries == []


@pytest.fixture
def _root_logger_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_root_logger_as_it_was")
def test_all_loggers_write_json_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("warning")

    logging.getLogger("uvicorn.error").info("hidden")
    logging.getLogger("uvicorn.error").warning("%d shown", 1)

    (line,) = capsys.readouterr().out.splitlines()
    entry = json.loads(line)
    assert (entry["logger"], entry["message"]) == ("uvicorn.error", "1 shown")
