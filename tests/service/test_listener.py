import asyncio
import errno
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from typing import cast

import pytest
import uvloop

from service import listener
from service.listener import Listener
from tests.service.fakes import PATIENCE_S

CLIENTS = 16


class Watched(socket.socket):
    """A listening socket that counts whom it accepts, and fails when it is told to."""

    accepted = 0
    failures: tuple[OSError, ...] = ()

    def accept(self) -> tuple[socket.socket, object]:
        self.asked()
        if self.failures:
            failure, *rest = self.failures
            self.failures = tuple(rest)
            raise failure
        found = super().accept()
        self.accepted += 1
        return found

    def asked(self) -> None:
        """Somebody wants a connection."""


class Echo(asyncio.Protocol):
    """Says what it was told, and goodbye."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)
        self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set()


@asynccontextmanager
async def listening(sock: socket.socket, shared: bool = True) -> AsyncIterator[Listener]:
    """A listener that is closed in the end, when all that it took has gone."""
    echoes: list[Echo] = []

    def echo() -> Echo:
        echoes.append(Echo())
        return echoes[-1]

    listener = Listener(sock, echo, backlog=CLIENTS, shared=shared)
    try:
        yield listener
    finally:
        listener.close()
        await listener.wait_closed()
        for each in echoes:
            await asyncio.wait_for(each.lost.wait(), PATIENCE_S)


@pytest.fixture
def sock() -> Iterator[Watched]:
    with Watched() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


async def ask(sock: socket.socket) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        with closing(writer):
            writer.write(b"hello")
            return await reader.read()


def test_everyone_is_heard(sock: Watched) -> None:
    async def main() -> None:
        async with listening(sock):
            answers = await asyncio.gather(*(ask(sock) for _ in range(CLIENTS)))
        assert answers == [b"hello"] * CLIENTS

    uvloop.run(main())
    assert sock.accepted == CLIENTS


def test_those_who_share_a_socket_share_its_connections(sock: Watched) -> None:
    """As two processes with nothing else to do; uvloop's own server would give all to one."""
    twin = Watched(fileno=socket.dup(sock.fileno()))

    def ask_all() -> list[bytes]:
        """All have connected before anyone of them is heard."""
        clients = [socket.create_connection(sock.getsockname()) for _ in range(CLIENTS)]
        gate.set()
        answers = []
        for client in clients:
            with client:
                client.settimeout(PATIENCE_S)
                client.sendall(b"hello")
                answers.append(client.recv(5))
        return answers

    async def main() -> None:
        async with listening(sock), listening(twin):
            answers = asyncio.get_running_loop().run_in_executor(None, ask_all)
            assert gate.wait(PATIENCE_S)  # the loop stands still until then
            assert await answers == [b"hello"] * CLIENTS

    gate = threading.Event()
    with twin:
        uvloop.run(main())
        assert sock.accepted == twin.accepted == CLIENTS // 2


@pytest.mark.parametrize("shared", [True, False])
def test_it_gives_way_to_those_who_share_its_socket(
    sock: Watched, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone it has nobody to wait for."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)

    async def main() -> None:
        async with listening(sock, shared):
            await asyncio.gather(*(ask(sock) for _ in range(CLIENTS)))

    uvloop.run(main())
    assert len(pauses) == (CLIENTS if shared else 0)


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENOBUFS])
def test_it_goes_on_when_the_system_has_room_again(
    sock: Watched,
    error: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(listener, "_RETRY_S", 0.0)
    sock.failures = (OSError(error, "no room"), OSError(error, "no room"))

    async def main() -> None:
        async with listening(sock):
            assert await ask(sock) == b"hello"

    uvloop.run(main())
    assert len(caplog.records) == 2


@pytest.mark.parametrize("error", [BlockingIOError(), ConnectionAbortedError()])
def test_a_connection_that_is_gone_is_no_error(
    sock: Watched, error: OSError, caplog: pytest.LogCaptureFixture
) -> None:
    sock.failures = (error,)

    async def main() -> None:
        async with listening(sock):
            assert await ask(sock) == b"hello"

    uvloop.run(main())
    assert not caplog.records


def test_after_the_end_nobody_is_taken(sock: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        refused = asyncio.Event()
        monkeypatch.setattr(sock, "asked", refused.set)
        sock.failures = (OSError(errno.EMFILE, "no room"),)
        async with listening(sock) as taking:
            with socket.create_connection(sock.getsockname()):
                await asyncio.wait_for(refused.wait(), PATIENCE_S)
                # It ends while it waits to look again.
        assert taking._pause is not None
        assert taking._pause.cancelled()

    uvloop.run(main())
    assert sock.accepted == 0


def test_after_the_end_clients_are_refused(sock: Watched) -> None:
    """And not left waiting in a socket that is closed later, which would cut them off."""

    async def main() -> None:
        address = sock.getsockname()
        async with listening(sock) as listener:
            assert await ask(sock) == b"hello"
        listener.close()  # once more, as uvicorn does
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)

    uvloop.run(main())
