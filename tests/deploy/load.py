"""Photos that are sent at a steady rate while something happens to who answers them."""

import contextlib
import http.client
import select
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from tests.deploy.engine import PATIENCE_S, until

PHOTO = {"Content-Type": "image/jpeg"}

UNREACHABLE = "unreachable"  # no connection: nobody accepted the request
CUT = "cut"  # a connection that ended without an answer


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request."""

    outcome: int | str  # the status, or UNREACHABLE or CUT
    ended: float  # on the clock of time.monotonic()


def send(
    address: str,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """One request on a connection of its own: status, headers and body of the answer."""
    with contextlib.closing(connect(address)) as connection:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def connect(address: str) -> http.client.HTTPConnection:
    """An open connection. Raises `OSError`."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=5)
    connection.connect()
    connection.sock.settimeout(PATIENCE_S)
    return connection


@contextmanager
def slow_clients(address: str, count: int) -> Iterator[list[socket.socket]]:
    """While the block runs, `count` clients send the body of a request, one byte a second each."""
    head = b"POST /predict HTTP/1.1\r\nHost: mien\r\nContent-Length: 100000\r\n\r\n"
    parts = urlsplit(address)
    place = (parts.hostname, parts.port)
    end = threading.Event()
    with contextlib.ExitStack() as stack:
        clients: list[socket.socket] = []
        while len(clients) < count:
            client = stack.enter_context(socket.create_connection(place))
            client.sendall(head)
            clients.append(client)
            time.sleep(0.02)  # no faster than nginx lets one client come

        def drip() -> None:
            while not end.wait(1):
                for client in clients:
                    with contextlib.suppress(OSError):  # it was sent away
                        client.send(b".")

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield clients
        finally:
            end.set()
            thread.join()


def answered(clients: Sequence[socket.socket]) -> int:
    """How many of these clients have got an answer, or were cut off."""
    return len(select.select(clients, [], [], 0)[0])


class Load:
    """While the block runs, `clients` send `photo` to /predict, `rate` times a second in all.

    A client whose answer is late sends its next request late; it does not send more then.
    """

    def __init__(self, address: str, photo: bytes, *, rate: float = 20, clients: int = 4) -> None:
        self.address = address
        self.photo = photo
        self.answers: list[Answer] = []
        self._pause_s = clients / rate
        self._end = threading.Event()
        self._clients = [threading.Thread(target=self._send_all) for _ in range(clients)]

    def _send_all(self) -> None:
        while not self._end.is_set():
            next_one = time.monotonic() + self._pause_s
            outcome = self._send()
            self.answers.append(Answer(outcome, time.monotonic()))
            self._end.wait(next_one - time.monotonic())

    def _send(self) -> int | str:
        try:
            connection = connect(self.address)
        except OSError:
            return UNREACHABLE
        with contextlib.closing(connection):
            try:
                connection.request("POST", "/predict", self.photo, PHOTO)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                return CUT
            return answer.status

    def outcomes(self) -> set[int | str]:
        return {answer.outcome for answer in self.answers}

    def await_more(self, count: int) -> None:
        """Returns when `count` more requests have ended."""
        goal = len(self.answers) + count
        until(f"{goal} requests have ended", lambda: len(self.answers) >= goal)

    def __enter__(self) -> Self:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for client in self._clients:
            client.join()
