import contextlib
import socket
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse

import pytest

from service.metrics_server import Render, serving_metrics
from tests.service.fakes import PATIENCE_S


def bound(host: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.bind((host, 0))
    return sock


def ask(port: int, method: str, path: str, host: str = "127.0.0.1") -> tuple[HTTPResponse, bytes]:
    with contextlib.closing(HTTPConnection(host, port, timeout=PATIENCE_S)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer, answer.read()


def render() -> tuple[bytes, str]:
    return b"mien_answer 42.0\n", "text/plain; version=1.0.0"


@pytest.fixture
def port() -> Iterator[int]:
    sock = bound()
    with serving_metrics(render, sock):
        yield sock.getsockname()[1]


@pytest.mark.parametrize("path", ["/metrics", "/metrics?name=mien_answer"])
def test_it_answers_with_the_metrics(port: int, path: str) -> None:
    answer, body = ask(port, "GET", path)

    assert (answer.status, body) == (200, b"mien_answer 42.0\n")
    assert answer.headers["Content-Type"] == "text/plain; version=1.0.0"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Server"] == "mien"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/metrics/../etc/passwd", 404),
        ("GET", "/docs", 404),
        ("POST", "/metrics", 501),
        ("POST", "/predict", 501),
    ],
)
def test_there_is_nothing_else(port: int, method: str, path: str, status: int) -> None:
    answer, body = ask(port, method, path)

    assert (answer.status, body.decode()) == (status, HTTPStatus(status).phrase)
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_it_listens_on_ipv6_too() -> None:
    sock = bound("::1")
    with serving_metrics(render, sock):
        answer, _ = ask(sock.getsockname()[1], "GET", "/metrics", host="::1")

    assert answer.status == 200


def test_a_scrape_that_fails_is_logged_and_the_next_one_succeeds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcomes: list[Render] = [render, broken]
    sock = bound()
    with serving_metrics(lambda: outcomes.pop()(), sock):
        port = sock.getsockname()[1]
        with pytest.raises(ConnectionError):
            ask(port, "GET", "/metrics")
        answer, _ = ask(port, "GET", "/metrics")

    assert answer.status == 200
    assert [record.message for record in caplog.records if record.exc_info] == ["a scrape failed"]


def broken() -> tuple[bytes, str]:
    raise ValueError


def test_a_silent_client_is_waited_for_by_nobody(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as silent:
        silent.sendall(b"GET /metr")
        answer, _ = ask(port, "GET", "/metrics")

    assert answer.status == 200


def test_the_port_is_closed_at_the_end() -> None:
    sock = bound()
    with serving_metrics(render, sock):
        port = sock.getsockname()[1]

    with pytest.raises(ConnectionRefusedError):
        ask(port, "GET", "/metrics")
