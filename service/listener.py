"""Takes the connections of a socket one by one, so that several processes share them."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress

_GIVE_WAY_S = 5e-5
_RETRY_S = 1.0  # where the system has no file or no memory for another connection

logger = logging.getLogger(__name__)


class Listener:
    """Accepts connections of a bound socket on the running event loop, until it is closed.

    One in each turn of the loop. uvloop itself takes all that wait at once: where clients come
    together, the process that is awake first would get every one of them, and the others none. Here
    they wake up meanwhile, and a busy process, whose turns are long, takes fewer. One with nothing
    else to do has turns so short that it would still be first every time: if the socket is
    `shared`, it gives way after each connection, asleep for as short a time as the system knows.
    """

    def __init__(
        self,
        sock: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        *,
        backlog: int,
        shared: bool,
    ) -> None:
        self._sock = sock
        self._protocol = protocol
        self._shared = shared
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._welcomes: set[asyncio.Task[None]] = set()
        sock.setblocking(False)
        sock.listen(backlog)
        self._watch()

    def _watch(self) -> None:
        self._loop.add_reader(self._sock, self._take)

    def _take(self) -> None:
        try:
            connection, _ = self._sock.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # another process has it, or the client left
        except OSError:
            logger.exception("A connection cannot be accepted.")
            self._loop.remove_reader(self._sock)  # it would be the same at once, again and again
            self._pause = self._loop.call_later(_RETRY_S, self._watch)
            return
        if self._shared:
            time.sleep(_GIVE_WAY_S)  # the loop's timers know nothing shorter than a millisecond
        task = self._loop.create_task(self._welcome(connection))
        self._welcomes.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(self._welcomes.discard)

    async def _welcome(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        with suppress(OSError):  # the client left
            await self._loop.connect_accepted_socket(self._protocol, connection)

    def close(self) -> None:
        """Take no more, and close the socket: who comes now is refused, and not cut off later."""
        if self._sock.fileno() < 0:
            return  # closed before, as uvicorn closes its servers once more
        self._loop.remove_reader(self._sock)
        if self._pause is not None:
            self._pause.cancel()
        self._sock.close()

    async def wait_closed(self) -> None:
        """Return when everyone who was taken has been heard."""
        await asyncio.gather(*self._welcomes)
