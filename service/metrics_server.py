"""A port of its own for /metrics: what Prometheus sees is no business of those who send images."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from service.headers import secured

Render = Callable[[], tuple[bytes, str]]

logger = logging.getLogger(__name__)


@contextmanager
def serving_metrics(render: Render, sock: socket.socket) -> Iterator[None]:
    """Answers GET /metrics with what `render` gives, on a bound socket, from threads of its own.

    So it needs no event loop: a supervisor of processes has none.
    """
    host, port = sock.getsockname()[:2]
    with _Server((host, port), partial(_Scrape, render), bind_and_activate=False) as server:
        server.socket.close()
        server.socket = sock
        server.server_activate()
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        logger.info("serving metrics", extra={"fields": {"host": host, "port": port}})
        try:
            yield
        finally:
            server.shutdown()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Whoever scrapes has gone away, or the metrics are broken."""
        logger.warning("a scrape failed", exc_info=True)


class _Scrape(BaseHTTPRequestHandler):
    """One scrape."""

    timeout = 10.0  # seconds that a client may be silent

    def __init__(self, render: Render, *arguments: Any) -> None:
        self._render = render
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """The metrics, and nothing else."""
        if self.path.partition("?")[0] == "/metrics":
            self._answer(HTTPStatus.OK, *self._render())
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Unlike the library's, no page that tells what was asked."""
        self._answer(code, HTTPStatus(code).phrase.encode(), "text/plain")

    def _answer(self, status: int, text: bytes, content_type: str) -> None:
        self.send_response(status)
        headers = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(text))]
        for name, value in secured(headers):
            self.send_header(name.decode(), value.decode())
        self.end_headers()
        if self.command != "HEAD":  # RFC 9110, section 9.3.2
            self.wfile.write(text)

    def version_string(self) -> str:
        """The header Server; the usual one tells the version of Python."""
        return "mien"

    def log_message(self, *_: object) -> None:
        """Scrapes are not logged, as on the other port."""
