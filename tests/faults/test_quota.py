"""Half of the CPU time is gone, as when a container's quota is used up again and again."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.load import Load
from tests.service.test_server import Process, stopped

PERIOD_S = 0.1  # that of the kernel's own bandwidth control


@contextmanager
def throttled(pid: int) -> Iterator[None]:
    """While the block runs, no thread of a process runs in the second half of each period.

    That is what a quota does to a process, and it needs no right to make control groups.
    """
    end = threading.Event()

    def stop_and_go() -> None:
        while not end.wait(PERIOD_S / 2):
            os.kill(pid, signal.SIGSTOP)
            end.wait(PERIOD_S / 2)
            os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=stop_and_go)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def test_with_half_of_the_cpu_everybody_is_still_answered(photo: bytes) -> None:
    with Process(max_concurrent_requests=4, deadline_s=60) as service:
        service.ready()
        with Load(service, photo, clients=8) as load, throttled(service.popen.pid):
            load.await_more(200, 50)
            load.await_more(503, 50)
            ready, _ = service.ask("GET", "/health/ready")
        after, _ = service.ask("POST", "/predict", photo)
        status = stopped(service)

    assert set(load.outcomes) == {200, 503}
    assert len(load.answers) == 1
    assert (ready.status, after.status, status) == (200, 200, 0)
    assert '"level": "error"' not in service.text
