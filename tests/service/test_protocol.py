import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple, cast

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from uvicorn.server import ServerState

from service import protocol
from service.protocol import MAX_HEAD_BYTES, BoundedProtocol
from tests.service.fakes import PATIENCE_S

pytestmark = pytest.mark.anyio

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

POST = b"POST / HTTP/1.1\r\nHost: mien\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LONG = 100 * MAX_HEAD_BYTES  # far more than sockets hold back
TOO_LONG = MAX_HEAD_BYTES + 2**18  # the bound, and the most that asyncio reads at once


async def measure(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def at_once(request: Request) -> Response:
    """Does not wait for the body."""
    return PlainTextResponse("done")


async def large(request: Request) -> Response:
    """More than sockets hold back."""
    return Response(bytes(LONG))


async def in_pieces(request: Request) -> Response:
    """The same, in pieces."""
    return StreamingResponse(iter([bytes(2**16)] * (LONG // 2**16)))


class Timer(NamedTuple):
    delay: float
    callback: Callable[[], None]
    handle: asyncio.TimerHandle


class Timers:
    """An event loop that tells what it was asked to do later."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.all: list[Timer] = []

    @property
    def last(self) -> Timer:
        return self.all[-1]

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        handle = self._loop.call_later(delay, callback)
        self.all.append(Timer(delay, callback, handle))
        return handle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


@asynccontextmanager
async def connected(
    keep_alive_s: int = 5,
    lost: Callable[[], None] = lambda: None,
    timers: Timers | None = None,
) -> AsyncIterator[Streams]:
    """A connection to a server that tells how long a body is; `lost` hears of its end."""

    class Observed(BoundedProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if timers:
                self.loop = cast(asyncio.AbstractEventLoop, timers)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            lost()

    app = Starlette(
        routes=[
            Route("/", measure, methods=["POST"]),
            Route("/at-once", at_once, methods=["POST"]),
            Route("/large", large, methods=["POST"]),
            Route("/in-pieces", in_pieces, methods=["POST"]),
        ]
    )
    config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_keep_alive=keep_alive_s)
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: Observed(config, state, {}), "127.0.0.1", 0
    )
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield reader, writer
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def told(streams: Streams, pieces: Iterable[bytes]) -> bytes:
    """What comes back, to the end of the connection; some of it is lost when that is cut."""
    reader, writer = streams
    with suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
    answer = b""
    with suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE_S):
            while piece := await reader.read(2**16):
                answer += piece
    return answer


def endless(piece: bytes) -> list[bytes]:
    """As much as must not be needed to be refused; then it waits for what comes back."""
    return [piece * (2**14 // len(piece))] * (TOO_LONG // 2**14 + 1)


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        pytest.param(b"GET /", b"a", id="path"),
        pytest.param(b"GET /?", b"a=b&", id="query"),
        pytest.param(POST, b"X-Many: x\r\n", id="fields"),
        pytest.param(POST + b"X-Long: ", b"x", id="value"),
        pytest.param(POST, b"x", id="name"),
    ],
)
async def test_a_head_that_does_not_end_is_refused(start: bytes, piece: bytes) -> None:
    async with connected() as streams:
        answer = await told(streams, [start, *endless(piece)])

    assert answer == b"" or answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        pytest.param(CHUNKED + b"0\r\n", b"X-Many: x\r\n", id="trailers"),
        pytest.param(CHUNKED + b"0\r\nX-Long: ", b"x", id="trailer"),
        pytest.param(CHUNKED + b"1;", b"x", id="extension"),
    ],
)
async def test_what_goes_on_around_a_body_ends_the_connection(
    start: bytes, piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "REST_S", 2 * PATIENCE_S)  # the time for the rest must not do it
    async with connected() as streams:
        assert await told(streams, [start, *endless(piece)]) == b""
    async with connected() as (reader, writer):
        writer.write(start.replace(b"/ ", b"/at-once "))
        assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200 OK\r\n")
        assert await told((reader, writer), endless(piece)) == b""


async def test_the_rest_of_a_refused_body_may_come_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "REST_S", 0.0)
    request = POST.replace(b"/ ", b"/at-once ") + b"Content-Length: 1000000000000\r\n\r\nx"
    lost = asyncio.Event()
    async with connected(2 * int(PATIENCE_S), lost.set) as (_, writer):
        writer.write(request)
        async with asyncio.timeout(PATIENCE_S):
            await lost.wait()


AT_ONCE = POST.replace(b"/ ", b"/at-once ") + b"Content-Length: 2\r\n\r\n"


async def test_a_connection_whose_body_came_after_its_answer_goes_on() -> None:
    timers = Timers(asyncio.get_running_loop())
    async with connected(timers=timers) as (reader, writer):
        for _ in range(2):
            writer.write(AT_ONCE)
            await reader.readuntil(b"done")
            writer.write(b"ab")
        writer.write(AT_ONCE + b"ab")
        await reader.readuntil(b"done")

    rests = [timer.handle for timer in timers.all if timer.delay == protocol.REST_S]
    assert len(rests) >= 2
    assert all(handle.cancelled() for handle in rests)


async def test_a_connection_that_is_idle_after_such_a_body_ends() -> None:
    async with connected(keep_alive_s=1) as (reader, writer):
        writer.write(AT_ONCE)
        await reader.readuntil(b"done")
        assert await told((reader, writer), [b"ab"]) == b""


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        pytest.param(b"/large ", b"\r\n", id="whole"),
        pytest.param(b"/large ", b"Connection: close\r\n\r\n", id="the last one"),
        pytest.param(b"/large ", b"\r\nP", id="while more is asked"),
        pytest.param(b"/in-pieces ", b"\r\n", id="in pieces"),
    ],
)
async def test_an_answer_that_nobody_takes_is_dropped(
    path: bytes, rest: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "UNTAKEN_S", 0.0)
    lost = asyncio.Event()
    async with connected(keep_alive_s=600, lost=lost.set) as (_, writer):
        writer.write(POST.replace(b"/ ", path) + b"Content-Length: 0\r\n" + rest)
        async with asyncio.timeout(PATIENCE_S):
            await lost.wait()


class Taken(asyncio.Transport):
    """A connection on whose other side as much is taken as a test says."""

    left = 0
    aborted = False

    def get_write_buffer_size(self) -> int:
        return self.left

    def abort(self) -> None:
        self.aborted = True


def watched() -> tuple[BoundedProtocol, Timers, Taken]:
    """A connection, what it was asked to do later, and how much of its answers is not taken."""
    timers, transport = Timers(asyncio.get_running_loop()), Taken()
    config = uvicorn.Config(Starlette(), log_config=None)
    connection = BoundedProtocol(config, ServerState(), {})
    connection.connection_made(transport)
    connection.loop = cast(asyncio.AbstractEventLoop, timers)
    return connection, timers, transport


async def test_an_answer_that_is_taken_slowly_is_not_dropped() -> None:
    connection, timers, transport = watched()
    transport.left = 100_000
    connection.pause_writing()
    transport.left = 99_999
    timers.last.callback()
    connection.resume_writing()  # nearly all of it was taken, and as much was written again
    transport.left = 100_000
    timers.last.callback()
    assert not transport.aborted
    timers.last.callback()
    assert transport.aborted


@pytest.mark.parametrize("news", ["resume_writing", "on_message_begin"])
async def test_each_answer_has_as_long_to_be_taken(news: str) -> None:
    """Where the one before was taken, as the transport says, or is seen at the next request."""
    connection, timers, transport = watched()
    transport.left = 400
    connection.pause_writing()
    transport.left = 0
    getattr(connection, news)()
    transport.left = 100_000  # the next answer, at the end of the first one's time
    connection.pause_writing()

    first, second = timers.all
    assert first.delay == second.delay == protocol.UNTAKEN_S
    assert first.handle.cancelled()
    assert not second.handle.cancelled()
    assert not transport.aborted


async def test_who_takes_nothing_gains_no_time_by_asking_more() -> None:
    connection, timers, transport = watched()
    transport.left = 400
    connection.pause_writing()
    connection.on_message_begin()
    transport.left = 800
    connection.pause_writing()

    assert len(timers.all) == 1
    timers.last.callback()
    assert transport.aborted


async def test_the_server_goes_on() -> None:
    async with connected() as streams:
        await told(streams, [POST, *endless(b"X-Many: x\r\n")])
    async with connected() as streams:
        answer = await told(streams, [POST + b"Content-Length: 2\r\nConnection: close\r\n\r\nab"])

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_the_body_of_a_request_that_offers_another_protocol_is_its_own() -> None:
    offer = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    hidden = b"POST /at-once HTTP/1.1\r\nHost: mien\r\nContent-Length: 0\r\n\r\n"
    length = b"Content-Length: %d\r\n" % len(hidden)
    async with connected() as (reader, writer):
        writer.write(POST.replace(b"/ ", b"/at-once ") + offer + length + b"\r\n")
        await reader.readuntil(b"done")
        last = POST + offer + length + b"Connection: Upgrade, close\r\n\r\n" + hidden
        answer = await told((reader, writer), [hidden, last])

    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"\r\n\r\n%d" % len(hidden))


async def test_heads_and_bodies_of_all_kinds_pass() -> None:
    """One after the other on one connection: each head starts from nothing."""
    long = b"X-Long: " + b"x" * (MAX_HEAD_BYTES - 1000) + b"\r\n"
    body = bytes(3 * LONG)
    chunk = b"2710\r\n" + bytes(10_000) + b"\r\n"
    requests = [
        POST + long + b"Content-Length: 2\r\n\r\nab",
        POST + long + b"Content-Length: %d\r\n\r\n" % len(body) + body,
        CHUNKED + chunk * 100 + b"0\r\n\r\n",
        CHUNKED + b"1;name=value\r\na\r\n" * 10_000 + b"0\r\nX-Trailer: x\r\n\r\n",
        POST + long + b"Content-Length: 0\r\nConnection: close\r\n\r\n",
    ]
    answers = []
    async with connected() as (reader, writer):
        for request in requests:
            writer.write(request)
            async with asyncio.timeout(PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                answers.append((head.split()[1], await reader.readexactly(length)))

    lengths = (2, len(body), 1_000_000, 10_000, 0)
    assert answers == [(b"200", str(length).encode()) for length in lengths]
