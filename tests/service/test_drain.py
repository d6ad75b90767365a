"""The end of a server that somebody connects to in the last moment."""

import asyncio
import errno
import select
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from service import drain
from service.drain import Server
from service.protocol import BoundedProtocol
from tests.service.fakes import PATIENCE_S

REQUEST = b"GET / HTTP/1.1\r\nHost: mien\r\nConnection: close\r\n\r\n"


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204})
    await send({"type": "http.response.body"})


class Ending(Server):
    """Stops at once. When it begins to, all connect, and `clients` ask."""

    def __init__(
        self, sock: socket.socket, clients: list[socket.socket], silent: socket.socket | None = None
    ) -> None:
        config = uvicorn.Config(
            answer, http=BoundedProtocol, ws="none", lifespan="off", log_config=None
        )
        super().__init__(config, drain=self.meet, drain_delay_s=0)
        self.address = sock.getsockname()
        self.clients = clients
        self.silent = silent

    def meet(self) -> None:
        for client in self.clients:
            client.connect(self.address)
            client.sendall(REQUEST)
        if self.silent is not None:
            self.silent.connect(self.address)

    async def on_tick(self, counter: int) -> bool:
        await super().on_tick(counter)
        return True


class Watched(socket.socket):
    """A socket whose end somebody waits for."""

    ends: Callable[[], object]

    def close(self) -> None:
        if self.fileno() >= 0:
            self.ends()
        super().close()


@pytest.fixture
def clients() -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.socket()) for _ in range(3)]
        for client in clients:
            client.settimeout(PATIENCE_S)
        yield clients


@pytest.mark.anyio
async def test_who_has_connected_is_served_even_if_nobody_has_accepted_it_yet(
    clients: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listener takes one in a turn of the loop, and there are few turns."""
    monkeypatch.setattr(drain, "_LAST_HANDSHAKES_S", 0)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        await Ending(sock, clients).serve([sock])

    assert [client.recv(100)[:13] for client in clients] == [b"HTTP/1.1 204 "] * len(clients)


@pytest.mark.anyio
@pytest.mark.skipif(sys.platform != "linux", reason="see service.handshake")
async def test_who_comes_when_everyone_has_been_accepted_is_refused_and_not_cut_off(
    clients: list[socket.socket],
) -> None:
    late, *others = clients
    late.setblocking(False)
    with Watched() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.ends = lambda: late.connect_ex(sock.getsockname())
        await Ending(sock, others).serve([sock])
        _, ended, _ = select.select([], [late], [], PATIENCE_S)

    assert ended
    assert late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


@pytest.mark.anyio
async def test_who_was_accepted_may_ask_when_nobody_is_accepted_any_more(
    clients: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "_LAST_ARRIVALS_S", PATIENCE_S)
    slow, *others = clients
    with Watched() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.ends = lambda: asyncio.get_running_loop().call_later(0.2, slow.sendall, REQUEST)
        await Ending(sock, others, slow).serve([sock])

    assert slow.recv(100).startswith(b"HTTP/1.1 204 ")


@pytest.mark.anyio
async def test_who_never_asks_holds_nobody_up(clients: list[socket.socket]) -> None:
    silent, *others = clients
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        await Ending(sock, others, silent).serve([sock])

    assert silent.recv(100) == b""


@pytest.mark.anyio
async def test_who_gives_up_leaves_newcomers_to_those_who_share_its_socket(
    clients: list[socket.socket],
) -> None:
    late, *others = clients
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        server = Ending(sock, others)
        server.shared = True
        server.give_up()
        with socket.socket(fileno=socket.dup(sock.fileno())) as twin:
            await server.serve([sock])
            late.connect(twin.getsockname())
            twin.setblocking(False)
            taken = []
            for _ in clients:
                connection, address = twin.accept()
                connection.close()
                taken.append(address)

    assert taken == [client.getsockname() for client in (*others, late)]
