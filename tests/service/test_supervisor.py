"""What happens to several workers as one is in test_server; this is what it takes luck to see."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from service.supervisor import Supervisor

ROOT = Path(__file__).parents[2]


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


# Its second start kills the first worker, and there is no third.
PROGRAM = """
import errno, os, signal, socket, sys
from multiprocessing.context import SpawnProcess
from service.supervisor import Supervisor

def work(sock):
    signal.sigwait({signal.SIGTERM})

def start(process, begin=SpawnProcess.start, started=[]):
    if len(started) == 2:
        raise OSError(errno.EAGAIN, "no process is left")
    begin(process)
    started.append(process.pid)
    if len(started) == 2:
        os.kill(started[0], signal.SIGKILL)

if __name__ == "__main__":
    SpawnProcess.start = start
    with socket.socket() as sock:
        sys.exit(Supervisor(work, 2, sock).run())
"""


def test_where_no_process_is_left_for_a_lost_worker_the_others_are_stopped(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run([sys.executable, program], cwd=ROOT, timeout=60, check=False)

    assert done.returncode == os.EX_OSERR
