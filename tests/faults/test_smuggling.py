"""Requests that two servers in a row may read differently, through the shipped nginx and without.

What hides in the body of each attack is a request for /metrics, which the door gives to nobody. If
nginx and the service disagreed about where the body ends, the service would see that request.
Source: RFC 9112, section 11.2; the kinds are those of "HTTP Desync Attacks" (Kettle, 2019).
"""

import re
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.faults.door import shipped_nginx
from tests.service.fakes import PATIENCE_S
from tests.service.test_server import Process

HIDDEN = b"GET /metrics HTTP/1.1\r\nHost: mien\r\nX-Request-ID: smuggled\r\n\r\n"
CHUNKED_HIDDEN = b"0\r\n\r\n" + HIDDEN


def attack(*headers: bytes, body: bytes, line: bytes = b"POST /predict HTTP/1.1") -> bytes:
    return b"\r\n".join((line, b"Host: mien", b"Content-Type: image/png", *headers, b"", body))


def length(body: bytes, form: bytes = b"Content-Length: %d") -> bytes:
    return form % len(body)


ATTACKS = {
    "length and chunks": attack(
        length(CHUNKED_HIDDEN), b"Transfer-Encoding: chunked", body=CHUNKED_HIDDEN
    ),
    "chunks and length": attack(
        b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"5c\r\n" + HIDDEN + b"0\r\n\r\n"
    ),
    "an unknown coding": attack(
        length(CHUNKED_HIDDEN), b"Transfer-Encoding: xchunked", body=CHUNKED_HIDDEN
    ),
    "a coding twice": attack(
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: identity",
        length(CHUNKED_HIDDEN),
        body=CHUNKED_HIDDEN,
    ),
    "a space before the colon": attack(
        b"Transfer-Encoding : chunked", length(CHUNKED_HIDDEN), body=CHUNKED_HIDDEN
    ),
    "a tab before the value": attack(
        b"Transfer-Encoding:\tchunked", length(CHUNKED_HIDDEN), body=CHUNKED_HIDDEN
    ),
    "a vertical tab": attack(
        b"Transfer-Encoding: \x0bchunked", length(CHUNKED_HIDDEN), body=CHUNKED_HIDDEN
    ),
    "a folded header": attack(
        b"Transfer-Encoding:\r\n chunked", length(CHUNKED_HIDDEN), body=CHUNKED_HIDDEN
    ),
    "a bare line feed": attack(
        b"X: y\nTransfer-Encoding: chunked", length(CHUNKED_HIDDEN), body=CHUNKED_HIDDEN
    ),
    "two lengths": attack(b"Content-Length: 0", length(HIDDEN), body=HIDDEN),
    "a list of lengths": attack(length(HIDDEN, b"Content-Length: 0, %d"), body=HIDDEN),
    "a length with a sign": attack(length(HIDDEN, b"Content-Length: +%d"), body=HIDDEN),
    "a negative length": attack(b"Content-Length: -1", body=HIDDEN),
    "a length in hexadecimal": attack(length(HIDDEN, b"Content-Length: 0x%x"), body=HIDDEN),
    "a length beyond all numbers": attack(b"Content-Length: 18446744073709551616", body=HIDDEN),
    "a chunk size beyond all numbers": attack(
        b"Transfer-Encoding: chunked", body=b"10000000000000000\r\n" + HIDDEN
    ),
    "a chunk size with a sign": attack(
        b"Transfer-Encoding: chunked", body=b"-1\r\n" + HIDDEN + b"0\r\n\r\n"
    ),
    "HTTP/1.0 with chunks": attack(
        b"Transfer-Encoding: chunked", body=CHUNKED_HIDDEN, line=b"POST /predict HTTP/1.0"
    ),
    "an offer of another protocol": attack(
        b"Connection: Upgrade, HTTP2-Settings",
        b"HTTP2-Settings: AAMAAABkAAQBAAAAAAIAAAAA",
        b"Upgrade: h2c",
        length(HIDDEN),
        body=HIDDEN,
    ),
    "a tunnel": attack(length(HIDDEN), body=HIDDEN, line=b"CONNECT mien:80 HTTP/1.1"),
    "a line in the target": attack(
        b"Content-Length: 0", body=b"", line=b"POST /predict?\r\n" + HIDDEN
    ),
}


@pytest.fixture(scope="module")
def service() -> Iterator[Process]:
    with Process(log_level="debug") as process:
        yield process.ready()


@pytest.fixture(scope="module")
def door(service: Process, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("nginx")
    with shipped_nginx(folder, {"http://mien:8000": f"http://127.0.0.1:{service.port}"}) as port:
        yield port


def answers(port: int, sent: bytes) -> bytes:
    """All that comes back on a connection that says no more than `sent`."""
    head, end, body = sent.partition(b"\r\n\r\n")
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        with suppress(OSError):  # who is refused by the head may be cut off before the body
            for part in (head + end, body):  # a reader may see the one before the other is there
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
        received = []
        with suppress(ConnectionError):  # to be cut off is an answer too
            while chunk := connection.recv(2**16):
                received.append(chunk)
        return b"".join(received)


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_comes_through_the_door_in_a_body(
    name: str, door: int, service: Process, photo: bytes
) -> None:
    received = answers(door, ATTACKS[name])
    straight, _ = service.ask("POST", "/predict", photo)
    service.logged(request_id=straight.headers["X-Request-ID"])  # and all that came before

    assert b"mien_requests_total" not in received
    statuses = re.findall(rb"^HTTP/1\.1 (\d+)", received, re.MULTILINE)
    assert len(statuses) <= 1 or statuses[1:] == [b"404"]  # what nginx itself says of /metrics
    assert straight.status == 200
    assert '"route": "/metrics"' not in service.text
    assert "smuggled" not in service.text


# What is ambiguous to a parser, the service answers by itself once, and mostly refuses.
AMBIGUOUS = (
    *("length and chunks", "chunks and length", "two lengths", "a list of lengths"),
    *("a length with a sign", "a negative length", "a length in hexadecimal"),
    *("a length beyond all numbers", "a chunk size beyond all numbers", "a chunk size with a sign"),
    *("a space before the colon", "a coding twice", "an unknown coding"),
    *("an offer of another protocol", "a tunnel"),
)


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_the_service_reads_no_request_in_a_body(name: str, service: Process) -> None:
    received = answers(service.port, ATTACKS[name])
    straight, _ = service.ask("GET", "/model")
    service.logged(request_id=straight.headers["X-Request-ID"])

    assert b"mien_requests_total" not in received
    assert len(re.findall(rb"^HTTP/1\.1 \d+", received, re.MULTILINE)) <= 1
    assert '"route": "/metrics"' not in service.text
