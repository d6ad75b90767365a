"""The shipped nginx, when it refuses by itself: in the service's words, and before it is full."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from service.errors import BadRequest, PayloadTooLarge, RateLimited
from tests.deploy.engine import until
from tests.faults.door import shipped_nginx
from tests.service.fakes import PATIENCE_S

ONLY = b"Host: mien\r\nConnection: close\r\n"


class Replica(BaseHTTPRequestHandler):
    """Answers all."""

    def do_GET(self) -> None:  # http.server's name
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is of interest."""


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Replica) as replica:
        threading.Thread(target=replica.serve_forever, daemon=True).start()
        with shipped_nginx(
            tmp_path, {"http://mien:8000": f"http://127.0.0.1:{replica.server_port}"}
        ) as found:
            yield found
        replica.shutdown()


def told(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, fields and body of what comes back until the connection ends."""
    connection.settimeout(PATIENCE_S)
    answer = b""
    while piece := connection.recv(2**16):
        answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    return int(line.split()[1]), dict(field.split(": ", 1) for field in fields), body


def ask(port: int, request: bytes, source: str = "127.0.0.1") -> tuple[int, dict[str, str], bytes]:
    with socket.create_connection(("127.0.0.1", port), source_address=(source, 0)) as connection:
        connection.sendall(request)
        return told(connection)


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        pytest.param(b"no request\r\n\r\n", 400, BadRequest.code, id="no request"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, BadRequest.code, id="no host"),
        pytest.param(
            b"GET /%s HTTP/1.1\r\n%s\r\n" % (b"a" * 20_000, ONLY), 400, BadRequest.code, id="path"
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\n%sX: %s\r\n\r\n" % (ONLY, b"a" * 20_000),
            *(400, BadRequest.code),
            id="field",
        ),
        pytest.param(b"TRACE / HTTP/1.1\r\n%s\r\n" % ONLY, 405, "method_not_allowed", id="method"),
        pytest.param(b"GET / HTTP/2.5\r\n%s\r\n" % ONLY, 400, BadRequest.code, id="version"),
        pytest.param(
            b"POST / HTTP/1.1\r\n%sTransfer-Encoding: gzip, chunked\r\n\r\n" % ONLY,
            *(400, BadRequest.code),
            id="coding",
        ),
        pytest.param(
            b"GET /.bad-request HTTP/1.1\r\n%s\r\n" % ONLY, 400, BadRequest.code, id="its own path"
        ),
        pytest.param(
            b"GET /health/live HTTP/1.1\r\n%sContent-Length: 2000\r\n\r\n%s" % (ONLY, b"x" * 2000),
            *(413, PayloadTooLarge.code),
            id="body for a probe",
        ),
    ],
)
def test_a_refusal_is_a_problem(port: int, request_: bytes, status: int, code: str) -> None:
    found, fields, body = ask(port, request_)
    problem = json.loads(body)

    assert fields["Content-Type"] == "application/problem+json"
    assert (found, problem["status"], problem["code"]) == (status, status, code)
    assert problem["instance"] == fields["X-Request-ID"]


@pytest.mark.parametrize("request_", [b"GET /model", b"GET /health/live", b"HEAD /health/ready"])
def test_what_is_none_is_led_on(port: int, request_: bytes) -> None:
    large = b"X: %s\r\n" % (b"a" * 12_000)  # such as the cookies of localhost
    if request_.startswith(b"HEAD"):
        assert ask(port, b"%s HTTP/1.1\r\n%s\r\n" % (request_, ONLY))[0] == 501  # by the replica
    else:
        assert ask(port, b"%s HTTP/1.1\r\n%s%s\r\n" % (request_, ONLY, large))[0] == 204


def test_bodies_under_way_have_a_bound_for_each_client_and_for_all(port: int) -> None:
    """Each may wait in memory; tests/deploy/test_nginx.py compares the bound with what there is."""
    upload = b"POST /predict HTTP/1.1\r\nHost: mien\r\nContent-Length: 1000\r\n\r\nx"
    question = b"GET /model HTTP/1.1\r\n%s\r\n" % ONLY
    photo = b"POST /predict HTTP/1.1\r\n%sContent-Length: 0\r\n\r\n" % ONLY

    def refused(client: str) -> bool:
        return ask(port, photo, client)[0] == 429

    with contextlib.ExitStack() as stack:
        for client in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            for _ in range(32):
                held = socket.create_connection(("127.0.0.1", port), source_address=(client, 0))
                stack.enter_context(held).sendall(upload)
            if client != "127.0.0.4":
                until("it has its share", partial(refused, client))
                assert ask(port, photo)[0] == 501  # there is room for others; the replica is simple
        until("all have theirs", partial(refused, "127.0.0.1"))
        assert ask(port, question)[0] == 204  # who sends nothing takes no room
        status, fields, body = ask(port, photo)

    assert (status, json.loads(body)["code"]) == (429, RateLimited.code)
    assert fields["Retry-After"] == "1"
