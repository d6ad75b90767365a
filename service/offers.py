"""Offers to speak another protocol, which the service declines."""

from array import array
from collections.abc import Iterable
from typing import Protocol

import httptools


class Connection(Protocol):
    """What hears of what a parser finds, and remembers the head that it read last."""

    url: bytes
    headers: list[tuple[bytes, bytes]]


class Parser(httptools.HttpRequestParser):
    """Reads a request that offers another protocol as if it did not (RFC 9110, section 7.8).

    With an `Upgrade` in its head, httptools takes the message for ended there: the body of the
    request would be lost, and then be read as a request itself. JDK's client offers HTTP/2 with
    every request by default. So such a head is read twice, the second time without the offer;
    until then `declines` tells its callbacks not to believe the first.

    `CONNECT` is for proxies and offers nothing that could be left out: it is no valid request here.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._begin()

    @property
    def declines(self) -> bool:
        """Whether what was just read is to be read once more."""
        return self.should_upgrade()

    def feed_data(self, data: "bytes | bytearray | memoryview | array[int]") -> None:
        """Reads on. Raises `httptools.HttpParserError` at what is no HTTP/1."""
        rest = memoryview(data)
        while True:
            try:
                return super().feed_data(rest)
            except httptools.HttpParserUpgrade as ended:
                rest = rest[ended.args[0] :]
            if self.get_method() == b"CONNECT":
                raise httptools.HttpParserInvalidMethodError("CONNECT")
            head = b"".join(self._head())
            self._begin()  # the head may have been that of the connection's last request
            super().feed_data(head)

    def _begin(self) -> None:
        super().__init__(self._connection)
        # As uvicorn has it: who goes on after the last request is answered all the same.
        self.set_dangerous_leniencies(lenient_data_after_close=True)

    def _head(self) -> Iterable[bytes]:
        line = (
            self.get_method(),
            self._connection.url,
            b"HTTP/" + self.get_http_version().encode(),
        )
        yield b" ".join(line)
        for name, value in self._connection.headers:
            if name != b"upgrade":
                yield b"\r\n" + name + b": " + value
        yield b"\r\n\r\n"
