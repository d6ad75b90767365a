"""HTTP/1.1 as uvicorn reads it, with the bound that it lacks: on all that is not a body."""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 2**10


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection whose request line and header fields take more than `MAX_HEAD_BYTES`.

    The same goes for trailer fields, and for what goes on and on without being anything, such as
    one endless field: the parser would keep it all, and copy it with every read.
    """

    transport: asyncio.Transport
    _head = 0  # bytes of this request's line and fields
    _pending = 0  # bytes since the parser last found something

    def data_received(self, data: bytes) -> None:
        """More bytes of this connection."""
        self._pending += len(data)
        super().data_received(data)
        if max(self._head, self._pending) > MAX_HEAD_BYTES and not self.transport.is_closing():
            # Before the first request there is no cycle, whatever uvicorn's annotation says.
            if self.cycle is None or self.cycle.response_complete:  # type: ignore[redundant-expr]
                self._refuse()
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head = self._pending = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the request line."""
        self._found(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head or, behind a body, of the trailer."""
        self._found(len(name) + len(value))
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """A part of the body, which has bounds of its own."""
        self._pending = 0
        super().on_body(body)

    def _found(self, size: int) -> None:
        self._head += size
        self._pending = 0

    def _refuse(self) -> None:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        self.transport.write(f"{head}content-length: 0\r\nconnection: close\r\n\r\n".encode())
