"""The end of a server that somebody connects to in the last moment."""

import asyncio
import socket

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from service.drain import Server
from service.protocol import BoundedProtocol


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204})
    await send({"type": "http.response.body"})


class LastArrival(Server):
    """Stops at once, and somebody connects to it just before it stops accepting."""

    address: tuple[str, int]
    draining: asyncio.Event
    client: socket.socket | None = None

    async def on_tick(self, counter: int) -> bool:
        if self.draining.is_set() and self.client is None:
            self.client = socket.create_connection(self.address)
            self.client.sendall(b"GET / HTTP/1.1\r\nHost: mien\r\nConnection: close\r\n\r\n")
        await super().on_tick(counter)
        return True


@pytest.mark.anyio
async def test_who_has_connected_is_served_even_if_nobody_has_accepted_it_yet() -> None:
    config = uvicorn.Config(
        answer, http=BoundedProtocol, ws="none", lifespan="off", log_config=None
    )
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        draining = asyncio.Event()
        server = LastArrival(config, drain=draining.set, drain_delay_s=0.01)
        server.draining = draining
        server.address = sock.getsockname()
        await server.serve([sock])

    assert server.client is not None
    with server.client as client:
        assert client.recv(100).startswith(b"HTTP/1.1 204 ")
