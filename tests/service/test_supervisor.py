"""What happens to several workers as one is in test_server; this is what it takes luck to see."""

import signal
import socket

from service.supervisor import Supervisor


def leave(_: socket.socket) -> None:
    """The life of a worker that has nothing to do."""


def test_a_stop_passes_over_workers_that_died_meanwhile() -> None:
    with socket.socket() as sock:
        supervisor = Supervisor(leave, 2, sock)
        for _ in range(2):
            supervisor._start()
        for process in supervisor.processes:
            process.join()
        supervisor._stop(signal.SIGINT)
    assert supervisor.stopping
