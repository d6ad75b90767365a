"""Clients that ask all at once, each again as soon as it is answered, while something happens."""

import contextlib
import http.client
import threading
from collections import Counter
from typing import Self

from tests.deploy.engine import until
from tests.service.test_server import JPEG, Process

UNREACHABLE = "unreachable"  # a new connection that nobody took up
CUT = "cut"  # a connection that was kept open, and ended without an answer


class Load:
    """While the block runs, `clients` post `image` to /predict as one crop.

    `outcomes` counts statuses, and what became of requests that got none. A connection is kept for
    the next request as long as the server keeps it.
    """

    def __init__(self, service: Process, image: bytes, *, clients: int) -> None:
        self.outcomes: Counter[int | str] = Counter()
        self.answers: set[bytes] = set()  # of 200s, only what was found
        self._service = service
        self._image = image
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._clients = [threading.Thread(target=self._ask_on) for _ in range(clients)]

    def _ask_on(self) -> None:
        with contextlib.closing(self._service.connect()) as connection:
            while not self._end.is_set():
                outcome = self._ask(connection)
                with self._lock:
                    self.outcomes[outcome] += 1
                if outcome == UNREACHABLE:
                    self._end.wait(0.02)

    def _ask(self, connection: http.client.HTTPConnection) -> int | str:
        new = connection.sock is None
        try:
            connection.request("POST", "/predict?detect=false", self._image, JPEG)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return UNREACHABLE if new else CUT
        if answer.status == 200:
            with self._lock:
                self.answers.add(faces(body))
        return answer.status

    def await_more(self, outcome: int | str, count: int) -> None:
        """Returns when `count` more requests had this outcome."""
        goal = self.outcomes[outcome] + count
        until(f"{outcome} {goal} times", lambda: self.outcomes[outcome] >= goal)

    def __enter__(self) -> Self:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for client in self._clients:
            client.join()


def faces(body: bytes) -> bytes:
    """What an answer says of the faces, which is the same for the same image."""
    return body.partition(b',"image":')[0]


def metric(service: Process, name: str) -> float:
    """The value of a metric without labels."""
    _, text = service.ask("GET", "/metrics")
    (line,) = [line for line in text.decode().splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])
