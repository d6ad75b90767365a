"""Several server processes behind one socket."""

import logging
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

# The exit status of a worker that wants to be replaced: sysexits.h has it for internal errors.
GIVEN_UP = os.EX_SOFTWARE

logger = logging.getLogger(__name__)


class Supervisor:
    """Runs several workers on one socket, replaces those that are lost, passes signals on.

    Lost is who was killed, or ended with the status `GIVEN_UP`. Where the system gives no process
    in their place, the others are stopped, and so is this.
    """

    def __init__(
        self, worker: Callable[[socket.socket], None], count: int, sock: socket.socket
    ) -> None:
        """`worker` must be picklable: each one runs in a fresh interpreter."""
        self.worker = worker
        self.count = count
        self.sock = sock
        self.stopping = False
        self.processes: list[SpawnProcess] = []

    def run(self) -> int:
        """Returns the exit status: 0 after a stop, else why there was one."""
        signals, wakeup = socket.socketpair()
        wakeup.setblocking(False)
        signal.set_wakeup_fd(wakeup.fileno())
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, lambda *_: None)  # its number arrives in `signals`
        with signals, wakeup:
            return self._watch(signals)

    def _watch(self, signals: socket.socket) -> int:
        status = 0
        for _ in range(self.count):
            status = status or self._start()
        while self.processes:
            if signals in wait([signals, *(process.sentinel for process in self.processes)]):
                self._stop(signals.recv(1)[0])
            for process in [process for process in self.processes if not process.is_alive()]:
                self.processes.remove(process)
                status = status or self._ended(process)
        return status

    def _start(self) -> int:
        """0, or the status to end with."""
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=self.worker, args=(self.sock,))
        try:
            process.start()
        except OSError as error:
            logger.critical("no new worker", extra={"fields": {"reason": error.strerror}})
            self._stop(signal.SIGTERM)
            return os.EX_OSERR
        self.processes.append(process)
        return 0

    def _ended(self, process: SpawnProcess) -> int:
        status = process.exitcode or 0
        killed = status < 0  # by the signal of that number
        if self.stopping:
            return 0 if killed else status
        logger.error("worker ended", extra={"fields": {"pid": process.pid, "status": status}})
        if killed or status == GIVEN_UP:
            return self._start()
        self._stop(signal.SIGINT)  # its replacement would end in the same way
        return status

    def _stop(self, sig: int) -> None:
        self.stopping = True
        self.sock.close()  # a copy left open here would let clients wait for nobody
        for process in self.processes:
            # One that died meanwhile may have been waited for, and its pid be somebody else's.
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, sig)
