"""nginx asks a name server every second where the replicas are; it may answer late."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.deploy.load import send
from tests.faults.door import shipped_nginx
from tests.service.test_server import Process

LOCALHOST = bytes((127, 0, 0, 1))


@contextmanager
def name_server(*, lost: int) -> Iterator[int]:
    """The port of one that says 127.0.0.1 of every name; the first `lost` questions never arrive.

    RFC 1035, section 4: a head of 12 bytes, the question, an address for one second.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            asked = 0
            while True:
                question, client = server.recvfrom(512)
                if not question:  # the end
                    return
                asked += 1
                if asked > lost:
                    head = question[:2] + bytes.fromhex("8180 0001 0001 0000 0000")
                    record = bytes.fromhex("c00c 0001 0001 00000001 0004") + LOCALHOST
                    name = question[12 : question.index(0, 12) + 5]
                    server.sendto(head + name + record, client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.sendto(b"", server.getsockname())
            thread.join()


def test_a_question_that_is_lost_on_the_way_loses_no_request(tmp_path: Path, photo: bytes) -> None:
    with Process() as service, name_server(lost=1) as names:
        service.ready()
        places = {
            "http://mien:8000": f"http://mien:{service.port}",
            "resolver 127.0.0.11": f"resolver 127.0.0.1:{names}",
        }
        with shipped_nginx(tmp_path, places) as port:
            status, _, body = send(f"http://127.0.0.1:{port}", "POST", "/predict", photo)
    assert (status, b'"faces"' in body) == (200, True)
