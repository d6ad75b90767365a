"""uvicorn with a shutdown that loses no request."""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType

import uvicorn

from service.handshake import ignore_newcomers
from service.listener import Listener
from service.protocol import BoundedProtocol

_LAST_HANDSHAKES_S = 0.1
_LAST_ARRIVALS_S = 0.5
_TICK_S = 0.1

logger = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Serves until it is told to stop, then drains.

    SIGTERM: `drain()` is called and readiness ends, requests are served for `drain_delay_s` more,
    the socket closes, what was accepted is finished, and the process ends with status 0. SIGINT,
    or a second signal, leaves out the delay.
    """

    def __init__(
        self, config: uvicorn.Config, *, drain: Callable[[], None], drain_delay_s: float
    ) -> None:
        super().__init__(config)
        self.shared = config.workers > 1
        self.drain = drain
        self.drain_delay_s = drain_delay_s
        self.hurry = False
        self.gave_up = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])
        for sock in sockets or []:
            # Of a server, uvicorn asks no more than this one can.
            listener = Listener(
                sock,
                self._protocol,
                backlog=self.config.backlog,
                shared=self.shared,
            )
            self.servers.append(listener)  # type: ignore[arg-type]
            host, port = sock.getsockname()[:2]
            logger.info("serving", extra={"fields": {"host": host, "port": port}})

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Unlike uvicorn's, does not keep the signal to raise it again at the end."""
        self.hurry = self.should_exit or sig == signal.SIGINT
        self.should_exit = True

    def give_up(self) -> None:
        """Ends without delay, and not well: whoever runs the process is to start another."""
        self.gave_up = self.hurry = self.should_exit = True

    def _protocol(self) -> asyncio.Protocol:
        """What speaks HTTP on one connection, made as uvicorn makes it."""
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logger.info("draining", extra={"fields": {"delay_s": self.drain_delay_s}})
        self.drain()
        end = time.monotonic() + self.drain_delay_s
        while not self.hurry and time.monotonic() < end:
            await self._tick()
        waiting: list[socket.socket] = []
        if not (self.gave_up and self.shared):  # else other processes go on with the same socket
            for sock in sockets or []:
                ignore_newcomers(sock)
            await asyncio.sleep(_LAST_HANDSHAKES_S)
            # Who has connected but was not accepted yet would be cut off by the end of the socket.
            waiting = [connection for sock in sockets or [] for connection in _accept_all(sock)]
        for server in self.servers:
            server.close()
            await server.wait_closed()
        for connection in waiting:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        # A connection that was accepted in the last moment still gets its request answered.
        end = time.monotonic() + _LAST_ARRIVALS_S
        while self._expects() and time.monotonic() < end:
            await self._tick()
        await super().shutdown(sockets)
        logger.info("stopped")

    async def _tick(self) -> None:
        await asyncio.sleep(_TICK_S)
        await self.on_tick(0)  # keeps the Date header right

    def _expects(self) -> bool:
        """Whether somebody has connected and not yet asked."""
        connections = self.server_state.connections
        return any(isinstance(each, BoundedProtocol) and not each.asked for each in connections)


def _accept_all(sock: socket.socket) -> Iterator[socket.socket]:
    """The connections that wait in a listening socket that does not block."""
    with suppress(OSError):  # none is left
        while True:
            connection, _ = sock.accept()
            connection.setblocking(False)
            yield connection
