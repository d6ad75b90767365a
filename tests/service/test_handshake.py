import errno
import select
import socket
import sys
from collections.abc import Iterator

import pytest

from service.handshake import ignore_newcomers
from tests.service.fakes import PATIENCE_S

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such filters")


@pytest.fixture(params=["127.0.0.1", "::1"])
def sock(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    host = request.param
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.bind((host, 0))
        sock.listen()
        yield sock


def connect(sock: socket.socket) -> socket.socket:
    return socket.create_connection(sock.getsockname()[:2], timeout=PATIENCE_S)


def test_a_newcomer_is_not_let_in_and_is_refused_when_the_socket_ends(sock: socket.socket) -> None:
    ignore_newcomers(sock)
    with socket.socket(sock.family) as client:
        client.setblocking(False)
        client.connect_ex(sock.getsockname())
        _, connected, _ = select.select([], [client], [], 0)
        sock.close()
        _, ended, _ = select.select([], [client], [], PATIENCE_S)

        assert not connected
        assert ended
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


def test_who_was_there_before_notices_nothing(sock: socket.socket) -> None:
    with connect(sock) as accepted, connect(sock) as waiting:
        first, _ = sock.accept()
        ignore_newcomers(sock)
        second, _ = sock.accept()
        sock.close()
        for client, server in ((accepted, first), (waiting, second)):
            with server:
                client.sendall(b"ping")
                assert server.recv(4) == b"ping"
                server.sendall(b"pong")
                assert client.recv(4) == b"pong"


def test_a_system_without_filters_goes_on_as_it_was(sock: socket.socket) -> None:
    class Plain(socket.socket):
        def setsockopt(self, *_: object) -> None:
            raise OSError(errno.ENOPROTOOPT, "no such option")

    with Plain(fileno=socket.dup(sock.fileno())) as plain:
        ignore_newcomers(plain)
        connect(plain).close()
