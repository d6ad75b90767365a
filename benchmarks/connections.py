"""Connections to a server for those who generate load: little work, so that it is not measured."""

import asyncio
from typing import cast
from urllib.parse import urlsplit

import httptools


class Connections:
    """Those to one server, which stay open."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = str(parts.hostname), parts.port or 80
        self._free: list[Connection] = []

    async def take(self) -> "Connection":
        """One that is free, or a new one. Raises `OSError`."""
        while self._free:
            connection = self._free.pop()
            if connection.open:
                return connection
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, self._host, self._port)
        return connection

    def give(self, connection: "Connection") -> None:
        """Give one back that has answered."""
        self._free.append(connection)

    def close(self) -> None:
        """Close those that are free."""
        for connection in self._free:
            connection.close()


class Connection(asyncio.Protocol):
    """One request at a time; answers its status."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[int] | None = None
        self.open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def exchange(self, request: bytes) -> asyncio.Future[int]:
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())
        if not self._parser.should_keep_alive():
            self.close()

    def connection_lost(self, _: Exception | None) -> None:
        self.open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())

    def close(self) -> None:
        self.open = False
        self._transport.close()
