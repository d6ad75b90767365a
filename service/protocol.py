"""HTTP/1.1 as uvicorn reads it, with the bounds that it lacks.

They are on all that is not a body, on what of a body comes after its answer, and on answers that
nobody takes.
"""

import asyncio
import math
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.offers import Parser

MAX_HEAD_BYTES = 64 * 2**10
REST_S = 10.0  # seconds for the rest of a body after its answer
UNTAKEN_S = 20.0  # seconds for which nothing of an answer may be taken


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection whose request line and header fields take more than `MAX_HEAD_BYTES`.

    The same goes for trailer fields, and for what goes on and on without being anything, such as
    one endless field: the parser would keep it all, and copy it with every read.

    Who is refused may send the rest of the body, as many clients look for an answer only then; but
    not for longer than `REST_S`. An answer of which nothing is taken for `UNTAKEN_S` is dropped,
    whether all of it was written by then or not: it holds memory, and no place any more.
    """

    transport: asyncio.Transport
    parser: Parser
    _head = 0  # bytes of this request's line and fields
    _pending = 0  # bytes since the parser last found something
    _in_body = False  # or in its trailer
    _rest: asyncio.TimerHandle | None = None
    _untaken = 0.0  # bytes of answers when they were last looked at; infinite once some were taken
    _next_look: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Like every protocol of uvicorn, by uvicorn."""
        super().__init__(*arguments, **named)
        self.parser = Parser(self)

    @property
    def asked(self) -> bool:
        """Whether the head of a request has come on this connection."""
        # Before the first one there is no cycle, whatever uvicorn's annotation says.
        return self.cycle is not None

    def data_received(self, data: bytes) -> None:
        """More bytes of this connection."""
        self._pending += len(data)
        super().data_received(data)
        if max(self._head, self._pending) > MAX_HEAD_BYTES and not self.transport.is_closing():
            if not self._in_body and (not self.asked or self.cycle.response_complete):
                self._refuse()
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head = self._pending = 0
        if self.transport.get_write_buffer_size() < self._untaken:
            self._untaken = math.inf
        self._unset_keepalive_if_required()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the request line."""
        self._found(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head or, behind a body, of the trailer."""
        self._found(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A head has ended."""
        if self.parser.declines:
            return
        self._in_body = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body, which has bounds of its own."""
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request has ended."""
        if self.parser.declines:
            return
        self._in_body = False
        if self._rest is not None:  # its answer is out, and the connection idle from now on
            self._forget_rest()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer has been written, maybe before all of its request was read."""
        super().on_response_complete()
        self._watch()
        # With pipelining, the body may be that of a later request, whose answer is still to come.
        if self._in_body and self.cycle.response_complete and not self.transport.is_closing():
            self._rest = self.loop.call_later(REST_S, self.transport.abort)

    def pause_writing(self) -> None:
        """More is written than is taken."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Most of what was written has been taken."""
        super().resume_writing()
        self._untaken = math.inf

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self._forget_rest()
        if self._next_look is not None:
            self._next_look.cancel()
        super().connection_lost(exc)

    def _forget_rest(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def _watch(self) -> None:
        """Looks after a while whether something was taken of what is written by now."""
        size = self.transport.get_write_buffer_size()
        if self._next_look is not None:
            if 0 < self._untaken <= size:
                return  # who takes nothing gains no time by asking more
            self._next_look.cancel()
            self._next_look = None
        self._untaken = size
        if size:
            self._next_look = self.loop.call_later(UNTAKEN_S, self._look)

    def _look(self) -> None:
        self._next_look = None
        if 0 < self._untaken <= self.transport.get_write_buffer_size():
            self.transport.abort()  # to close it would wait for ever
        else:
            self._watch()

    def _found(self, size: int) -> None:
        self._head += size
        self._pending = 0

    def _refuse(self) -> None:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        self.transport.write(f"{head}content-length: 0\r\nconnection: close\r\n\r\n".encode())
