"""The service as people run it: a process, spoken to over sockets, stopped by signals."""

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, Self

import pytest

from service.server import _bind
from service.settings import Settings
from tests.service.fakes import PATIENCE_S

ROOT = Path(__file__).parents[2]
JPEG = {"Content-Type": "image/jpeg"}


class Process:
    """`python -m service` on a free port, and the lines that it logs."""

    module = "service"

    def __init__(self, *arguments: str, **settings: object) -> None:
        """Settings by their names, other variables of the environment by theirs."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MIEN_", "PROMETHEUS_")) and name != "PORT"
        }
        given = {
            name if name.isupper() else f"MIEN_{name.upper()}": str(value)
            for name, value in settings.items()
        }
        self.popen = subprocess.Popen(
            [sys.executable, "-m", self.module, *arguments],
            cwd=ROOT,
            env=inherited | {"MIEN_PORT": "0", "MIEN_DRAIN_DELAY_S": "0"} | given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.text = ""
        self._lines: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.port = 0

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.text += line.decode()
            with contextlib.suppress(ValueError):
                self._lines.put(json.loads(line))

    def logged(self, **fields: object) -> dict[str, Any]:
        """The next line that has all of `fields`, once it is there."""
        while True:
            entry = self._lines.get(timeout=PATIENCE_S)
            if fields.items() <= entry.items():
                return entry

    def ready(self) -> Self:
        self.port = self.logged(message="serving")["port"]
        return self

    def connect(self, port: int = 0, source: str = "127.0.0.1") -> HTTPConnection:
        return HTTPConnection(
            "127.0.0.1", port or self.port, timeout=PATIENCE_S, source_address=(source, 0)
        )

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        **where: Any,
    ) -> tuple[HTTPResponse, bytes]:
        with contextlib.closing(self.connect(**where)) as connection:
            connection.request(method, path, body, (JPEG if body else {}) | dict(headers or {}))
            answer = connection.getresponse()
            return answer, answer.read()

    def written(self) -> int:
        """Bytes that the process has written to anything: files, log, connections."""
        counters = Path(f"/proc/{self.popen.pid}/io").read_text()
        return int(dict(line.split(": ") for line in counters.splitlines())["wchar"])

    def workers(self) -> list[int]:
        """The processes that serve."""
        pid = self.popen.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [
            int(child)
            for child in children
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]

    def send(self, sig: int) -> None:
        self.popen.send_signal(sig)

    def wait(self) -> int:
        """The exit status; all that was logged is in `text` then."""
        status = self.popen.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.popen.kill()
        self.wait()
        assert self.popen.stdout is not None
        self.popen.stdout.close()


def stopped(process: Process) -> int:
    process.send(signal.SIGTERM)
    return process.wait()


@pytest.fixture(scope="module")
def service() -> Iterator[Process]:
    with Process(max_concurrent_requests=4, max_body_bytes=2**20, log_level="debug") as process:
        yield process.ready()


@pytest.mark.skipif(sys.platform != "linux", reason="the policy is one of Linux")
def test_threads_that_wake_up_do_not_interrupt_a_photo_under_way(service: Process) -> None:
    pid = service.popen.pid
    threads = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
    patient = [thread for thread in threads if os.sched_getscheduler(thread) == os.SCHED_BATCH]
    # The event loop, photos and crops; numpy's own threads are older, and have nothing to do.
    assert pid in patient and len(patient) >= 3


def test_a_photo_is_answered(service: Process, photo: bytes) -> None:
    answer, body = service.ask("POST", "/predict", photo)

    assert answer.status == 200
    (face,) = json.loads(body)["faces"]
    assert face["dominant_emotion"] == "happy"
    line = service.logged(message="request", request_id=answer.headers["X-Request-ID"])
    assert (line["route"], line["status"], line["faces"]) == ("/predict", 200, 1)
    assert (line["bytes"], set(line["timing_ms"])) == (
        len(photo),
        {"decode", "detect", "queue", "inference", "total"},
    )


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused_and_the_connection_goes_on(
    service: Process, photo: bytes, chunked: bool
) -> None:
    body = (bytes(2**16) for _ in range(320)) if chunked else bytes(20 * 2**20)
    with contextlib.closing(service.connect()) as connection:
        connection.request("POST", "/predict", body, JPEG, encode_chunked=chunked)
        refused = connection.getresponse()
        problem = json.loads(refused.read())
        connection.request("POST", "/predict", photo, JPEG)
        answer = connection.getresponse()
        answer.read()

    assert (refused.status, problem["code"]) == (413, "payload_too_large")
    assert answer.status == 200


def test_a_client_that_leaves_while_it_sends_gives_its_place_back(
    service: Process, photo: bytes
) -> None:
    for number in range(8):  # twice the places
        with contextlib.closing(service.connect()) as connection:
            connection.putrequest("POST", "/predict")
            connection.putheader("Content-Type", "image/jpeg")
            connection.putheader("Content-Length", str(len(photo)))
            connection.putheader("X-Request-ID", f"left-{number}")
            connection.endheaders(photo[:1000])
        line = service.logged(request_id=f"left-{number}")
        assert (line["level"], line["status"]) == ("info", 499)

    answer, _ = service.ask("POST", "/predict", photo)
    assert answer.status == 200


def test_what_is_no_http_does_no_harm(service: Process) -> None:
    with socket.create_connection(("127.0.0.1", service.port), PATIENCE_S) as connection:
        connection.sendall(b"\x16\x03\x01 no http\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")

    assert service.ask("GET", "/health/live")[0].status == 200


def test_a_slow_body_is_not_waited_for(photo: bytes) -> None:
    with Process(body_timeout_s=0.2) as service:
        service.ready()
        with contextlib.closing(service.connect()) as connection:
            connection.putrequest("POST", "/predict")
            connection.putheader("Content-Type", "image/jpeg")
            connection.putheader("Content-Length", str(len(photo)))
            connection.endheaders(photo[:1000])
            answer = connection.getresponse()
            problem = json.loads(answer.read())

    assert (answer.status, problem["code"]) == (408, "body_timeout")
    assert answer.headers["Connection"] == "close"


def test_nothing_of_a_request_is_written_to_disk_or_log(photo: bytes) -> None:
    large = photo + bytes(3 * 2**20)  # a file that most form parsers spool to disk
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="secret-name.jpg"\r\n\r\n'
        + large
        + b"\r\n--b--\r\n"
    )
    headers = {
        "Content-Type": "multipart/form-data; boundary=b",
        "User-Agent": "secret-agent",
        "X-Request-ID": "secret id",
    }
    with Process(log_level="debug") as service:
        service.ready()
        before = service.written()
        with contextlib.closing(service.connect()) as connection:
            connection.request("POST", "/predict?max_faces=1", form, headers)
            answer = connection.getresponse()
            answer.read()
            connection.request("GET", "/secret-path?secret=query", headers=headers)
            connection.getresponse().read()
        written = service.written() - before
        status = stopped(service)

    assert (answer.status, status) == (200, 0)
    assert written < len(large) / 10  # two answers and two lines
    assert "secret" not in service.text
    assert service.text.count('"message": "request"') == 2


def test_no_accepted_request_is_lost_in_a_shutdown_under_load(photo: bytes) -> None:
    answered: queue.SimpleQueue[int] = queue.SimpleQueue()

    def keep_asking(service: Process, reuse: bool) -> int:
        """Asks until it is not let in any more, and counts the answers."""
        count = 0
        connection = service.connect()
        while True:
            new = connection.sock is None
            try:
                connection.request("POST", "/predict?detect=false", photo, JPEG)
                answer = connection.getresponse()
            except ConnectionError:
                connection.close()
                assert new  # a connection that was kept open is never dropped without a word
                return count
            answer.read()
            assert answer.status == 200
            answered.put(count)
            count += 1
            if not reuse:
                connection.close()

    with Process(drain_delay_s=0.5) as service, ThreadPoolExecutor() as clients:
        service.ready()
        counts = [clients.submit(keep_asking, service, reuse) for reuse in (True, False) * 4]
        for _ in range(100):
            answered.get(timeout=PATIENCE_S)
        service.send(signal.SIGTERM)
        service.logged(message="draining")
        ready, _ = service.ask("GET", "/health/ready")
        status = service.wait()
        total = sum(count.result(PATIENCE_S) for count in counts)

    assert ready.status == 503
    assert status == 0
    assert total >= 100
    # All that came in was answered, and every answer has arrived.
    assert service.text.count('"route": "/predict"') == total
    assert service.text.count('"route": "/predict", "status": 200') == total
    assert '"level": "error"' not in service.text


def test_a_body_under_way_is_awaited_and_answered(photo: bytes) -> None:
    with Process() as service:
        service.ready()
        with contextlib.closing(service.connect()) as connection:
            connection.putrequest("POST", "/predict")
            connection.putheader("Content-Type", "image/jpeg")
            connection.putheader("Content-Length", str(len(photo)))
            connection.endheaders(photo[:1000])
            service.ask("GET", "/health/live")  # by now the first bytes have arrived
            service.send(signal.SIGTERM)
            service.logged(message="draining")
            connection.send(photo[1000:])
            answer = connection.getresponse()
            answer.read()
        status = service.wait()

    assert (answer.status, answer.headers["Connection"], status) == (200, "close", 0)


def test_an_interrupt_leaves_out_the_delay() -> None:
    with Process(drain_delay_s=600) as service:
        service.ready()
        service.send(signal.SIGINT)

        assert service.wait() == 0


def test_a_second_signal_ends_the_delay() -> None:
    with Process(drain_delay_s=600) as service:
        service.ready()
        service.send(signal.SIGTERM)
        service.logged(message="draining")
        service.send(signal.SIGTERM)

        assert service.wait() == 0


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    with Process(models_dir=tmp_path) as service:
        line = service.logged(level="critical")
        status = service.wait()

    assert status == 3
    assert line["message"].startswith(str(tmp_path / Settings().expression_model / "config.json"))


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with Process("serve", "--port", str(port)) as service:
            status = service.wait()

    assert status == 1
    assert f"127.0.0.1:{port}" in service.text


def test_until_models_are_loaded_clients_are_refused() -> None:
    """And not left waiting, as a socket that listens would have them."""
    with _bind("127.0.0.1", 0) as sock, pytest.raises(ConnectionRefusedError):
        socket.create_connection(sock.getsockname())


class Workers(Process):
    """Two server processes behind one port."""

    def __init__(self, **settings: object) -> None:
        super().__init__("serve", "--workers", "2", threads=1, **settings)

    def ready(self) -> Self:
        super().ready()
        return super().ready()


def test_workers_share_a_port_and_their_metrics(photo: bytes) -> None:
    with Workers() as service:
        service.ready()
        for _ in range(20):
            assert service.ask("POST", "/predict", photo)[0].status == 200
        _, scrape = service.ask("GET", "/metrics")
        status = stopped(service)

    assert (
        'mien_requests_total{method="POST",route="/predict",status="200"} 20.0' in scrape.decode()
    )
    assert status == 0


def test_a_killed_worker_is_replaced(photo: bytes) -> None:
    with Workers() as service:
        service.ready()
        victim, *_ = service.workers()
        os.kill(victim, signal.SIGKILL)
        line = service.logged(message="worker ended")
        service.logged(message="serving")
        answer, _ = service.ask("POST", "/predict", photo)
        workers = service.workers()
        status = stopped(service)

    assert (line["pid"], line["status"]) == (victim, -signal.SIGKILL)
    assert victim not in workers
    assert len(workers) == 2
    assert (answer.status, status) == (200, 0)


def test_workers_that_cannot_start_end_the_service(tmp_path: Path) -> None:
    with Workers(models_dir=tmp_path) as service:
        assert service.wait() == 3


# ---- metrics on a port of their own --------------------------------------------------------------


@pytest.mark.parametrize("kind", [Process, Workers])
def test_metrics_may_have_a_port_of_their_own(kind: type[Process], photo: bytes) -> None:
    with kind(metrics_port=0) as service:
        port = service.logged(message="serving metrics")["port"]
        service.ready()
        for _ in range(6):
            assert service.ask("POST", "/predict", photo)[0].status == 200
        not_here, _ = service.ask("GET", "/metrics")
        answer, scrape = service.ask("GET", "/metrics", port=port)
        nothing_else, _ = service.ask("GET", "/model", port=port)
        status = stopped(service)

    assert (answer.status, not_here.status, nothing_else.status) == (200, 404, 404)
    assert 'mien_requests_total{method="POST",route="/predict",status="200"} 6.0' in scrape.decode()
    assert status == 0


def test_a_metrics_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with Process(metrics_port=port) as service:
            status = service.wait()

    assert status == 1
    assert f"127.0.0.1:{port}" in service.text


def test_one_process_with_a_directory_for_metrics_begins_with_none(
    tmp_path: Path,
) -> None:
    asked = 'mien_requests_total{method="GET",route="/model",status="200"} 1.0'
    for _ in range(2):
        with Process(PROMETHEUS_MULTIPROC_DIR=tmp_path / "new") as service:
            service.ready().ask("GET", "/model")
            _, scrape = service.ask("GET", "/metrics")
            assert asked in scrape.decode()
            assert stopped(service) == 0


# ---- who asks ------------------------------------------------------------------------------------


def statuses(service: Process, *requests: tuple[str, str]) -> list[int]:
    """Of a request each from a source address with an X-Forwarded-For."""
    return [
        service.ask("POST", "/predict", b"x", {"X-Forwarded-For": sent}, source=source)[0].status
        for source, sent in requests
    ]


def test_a_limit_is_that_of_an_address_whatever_a_client_says_of_itself() -> None:
    with Process(rate_limit_per_minute=1) as service:
        service.ready()
        first, *others = statuses(
            service,
            ("127.0.0.1", "203.0.113.1"),
            ("127.0.0.1", "203.0.113.2"),
            ("127.0.0.2", "203.0.113.1"),
        )

    assert (first, others) == (400, [429, 400])  # 400: x is no image


def test_behind_a_trusted_proxy_a_limit_is_that_of_whom_the_proxy_names() -> None:
    with Process(rate_limit_per_minute=1, trusted_proxies="127.0.0.1, 192.0.2.0/24") as service:
        service.ready()
        answers = statuses(
            service,
            ("127.0.0.1", "203.0.113.1"),
            ("127.0.0.1", "203.0.113.2"),
            ("127.0.0.1", "203.0.113.1"),
            ("127.0.0.1", "198.51.100.7, 203.0.113.1, 192.0.2.5"),  # made up, true, our own
            ("127.0.0.2", "203.0.113.3"),
            ("127.0.0.2", "203.0.113.4"),  # no proxy of ours
        )

    assert answers == [400, 400, 429, 429, 400, 429]


def test_a_proxy_of_ipv4_is_trusted_on_a_socket_of_both_kinds() -> None:
    with Process(host="::", rate_limit_per_minute=1, trusted_proxies="127.0.0.0/24") as service:
        service.ready()
        answers = statuses(
            service,
            ("127.0.0.1", "203.0.113.1"),
            ("127.0.0.1", "203.0.113.2"),
            ("127.0.0.1", "203.0.113.1"),
            ("127.0.1.1", "203.0.113.3"),
            ("127.0.1.1", "203.0.113.4"),  # no proxy of ours
        )

    assert answers == [400, 400, 429, 400, 429]


# ---- a process past help -------------------------------------------------------------------------


class Unwell(Process):
    """A service that its first image request leaves with a stuck thread."""

    module = "tests.service.unwell"


def test_a_process_with_a_stuck_worker_answers_and_ends() -> None:
    with Unwell("1") as service:
        service.ready()
        answer, _ = service.ask("POST", "/predict", b"x")
        line = service.logged(level="critical")
        status = service.wait()

    assert answer.status == 504
    assert "given up" in line["message"]
    assert status == os.EX_SOFTWARE


def test_a_stuck_thread_does_not_keep_a_process_from_ending() -> None:
    with Unwell("1") as service:
        service.ready()
        answer, _ = service.ask("POST", "/predict", b"x")
        service.send(signal.SIGTERM)  # before or after it is given up
        status = service.wait()

    assert answer.status == 504
    assert status in (0, os.EX_SOFTWARE)
    assert "a stuck thread is left behind" in service.text


def test_a_worker_process_that_gives_up_is_replaced() -> None:
    with Unwell("2") as service:
        service.ready().ready()
        victims = set(service.workers())
        answer, _ = service.ask("POST", "/predict", b"x")
        line = service.logged(message="worker ended")
        service.logged(message="serving")
        ready, _ = service.ask("GET", "/health/ready")
        workers = set(service.workers())
        status = stopped(service)

    assert (answer.status, line["status"]) == (504, os.EX_SOFTWARE)
    assert line["pid"] in victims - workers
    assert len(workers) == 2
    assert (ready.status, status) == (200, 0)
