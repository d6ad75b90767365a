"""Clients that leave in the middle, or send as slowly as they can, beside clients that do not."""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse

import pytest

from tests.deploy.engine import until
from tests.faults.load import Load, metric
from tests.service.fakes import PATIENCE_S
from tests.service.test_server import Process

CLIENTS = 8


def head(length: int) -> bytes:
    return (
        "POST /predict?detect=false HTTP/1.1\r\nHost: mien\r\nContent-Type: image/jpeg\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


@contextmanager
def connected(service: Process) -> Iterator[socket.socket]:
    """A connection that ends with a reset, so that the server hears of it while it writes."""
    with socket.create_connection(("127.0.0.1", service.port), PATIENCE_S) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        yield connection


def leave_in_the_body(service: Process, image: bytes) -> None:
    with connected(service) as connection:
        connection.sendall(head(len(image)) + image[: len(image) // 2])


def leave_before_the_answer(service: Process, image: bytes) -> None:
    with connected(service) as connection:
        connection.sendall(head(len(image)) + image)


def leave_in_the_answer(service: Process, image: bytes) -> None:
    with connected(service) as connection:
        connection.sendall(head(len(image)) + image)
        assert connection.recv(1) == b"H"


@pytest.mark.parametrize("leave", [leave_in_the_body, leave_before_the_answer, leave_in_the_answer])
def test_clients_that_leave_take_nothing_from_those_that_stay(
    leave: Callable[[Process, bytes], None], crop: bytes
) -> None:
    end = threading.Event()

    def leave_again_and_again() -> None:
        while not end.is_set():
            leave(service, crop)

    leaving = [threading.Thread(target=leave_again_and_again) for _ in range(CLIENTS // 4)]
    with Process(max_concurrent_requests=2 * CLIENTS) as service:
        service.ready()
        with Load(service, crop, clients=CLIENTS) as load:
            for client in leaving:
                client.start()
            load.await_more(200, 80)
            end.set()
            for client in leaving:
                client.join()
        # Nobody is left: neither in the service nor in its queue.
        until("they are forgotten", lambda: metric(service, "mien_requests_in_flight") == 1)
        assert metric(service, "mien_queue_depth") == 0

    assert set(load.outcomes) == {200}
    assert len(load.answers) == 1
    assert '"level": "error"' not in service.text


def test_slow_clients_keep_their_own_places_only(crop: bytes) -> None:
    places = 4
    with Process(max_concurrent_requests=places, body_timeout_s=3) as service:
        service.ready()
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(connected(service)) for _ in range(places - 1)]
            for connection in slow:
                connection.sendall(head(len(crop)) + crop[:1])
            until("they are in", lambda: metric(service, "mien_requests_in_flight") == places)
            quick = [service.ask("POST", "/predict?detect=false", crop)[0] for _ in range(5)]
            answers = [answer_on(connection) for connection in slow]

    assert [answer.status for answer in quick] == [200] * 5
    assert answers == [(408, "body_timeout")] * len(slow)


def answer_on(connection: socket.socket) -> tuple[int, str]:
    """Status and code of the problem that comes."""
    with HTTPResponse(connection) as answer:
        answer.begin()
        return answer.status, json.loads(answer.read())["code"]
