"""The container's health check, as Docker runs it, beside something that answers or does not."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.process import free_port
from tests.deploy.engine import ROOT


@contextmanager
def answering(status: int) -> Iterator[int]:
    """The port of what has this to say of its readiness, and says 418 of all else."""

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/ready" else 418)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is of interest."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def check(**environment: int) -> tuple[int, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("MIEN_PORT", "PORT")}
    done = subprocess.run(
        [sys.executable, ROOT / "deploy" / "healthcheck.py"],
        env=kept | {name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (204, False)])
def test_it_is_healthy_if_it_is_ready(status: int, healthy: bool) -> None:
    with answering(status) as port:
        assert check(MIEN_PORT=port) == (not healthy, f"/health/ready answers {status}\n")


def test_it_asks_where_the_service_listens() -> None:
    with answering(200) as port, answering(503) as other:
        assert check(PORT=port)[0] == 0
        assert check(MIEN_PORT=port, PORT=other)[0] == 0


def test_no_answer_is_unhealthy() -> None:
    port = free_port()
    status, told = check(MIEN_PORT=port)
    assert status == 1
    assert told.startswith(f"no answer on port {port}: ")
