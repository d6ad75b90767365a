"""The HTTP server: uvicorn with a shutdown that loses no request, in one process or several."""

import asyncio
import functools
import logging
import math
import multiprocessing
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType

import uvicorn

from service.admission import Admission
from service.app import create_app
from service.logs import configure_logging
from service.settings import Settings

_MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"
_LAST_ARRIVALS_S = 0.1
_TICK_S = 0.1

logger = logging.getLogger(__name__)


def serve(settings: Settings) -> int:
    """Serves until a signal stops it, and returns the exit status.

    Raises `OSError` when the address cannot be had, `SystemExit` when the start fails.
    """
    configure_logging(settings.log_level)
    sock = _bind(settings.host, settings.port)
    if settings.workers == 1:
        _work(settings, sock)
        return 0
    with _shared_metrics():
        return Supervisor(functools.partial(_work, settings), settings.workers, sock).run()


def _work(settings: Settings, sock: socket.socket) -> None:
    """One server process, until it is told to stop."""
    configure_logging(settings.log_level)
    admission = Admission(settings.max_concurrent_requests)
    config = uvicorn.Config(
        create_app(settings, admission=admission),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",  # the steps of a server's life are told below
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_s,
        # No accepted request takes longer than its deadline.
        timeout_graceful_shutdown=math.ceil(settings.deadline_s) + 1,
    )
    Server(config, drain=admission.drain, drain_delay_s=settings.drain_delay_s).run([sock])


def _bind(host: str, port: int) -> socket.socket:
    """A bound socket. It listens once a server is ready: until then, clients are refused."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from None
    return sock


class Server(uvicorn.Server):
    """Serves until it is told to stop, then drains.

    SIGTERM: `drain()` is called and readiness ends, requests are served for `drain_delay_s` more,
    the socket closes, what was accepted is finished, and the process ends with status 0. SIGINT,
    or a second signal, leaves out the delay.
    """

    def __init__(
        self, config: uvicorn.Config, *, drain: Callable[[], None], drain_delay_s: float
    ) -> None:
        super().__init__(config)
        self.drain = drain
        self.drain_delay_s = drain_delay_s
        self.hurry = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for sock in sockets or []:
            host, port = sock.getsockname()[:2]
            logger.info("serving", extra={"fields": {"host": host, "port": port}})

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Unlike uvicorn's, does not keep the signal to raise it again at the end."""
        self.hurry = self.should_exit or sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logger.info("draining", extra={"fields": {"delay_s": self.drain_delay_s}})
        self.drain()
        end = time.monotonic() + self.drain_delay_s
        while not self.hurry and time.monotonic() < end:
            await asyncio.sleep(_TICK_S)
            await self.on_tick(0)  # keeps the Date header right
        for server in self.servers:
            server.close()
        # A connection that was accepted in the last moment still gets its request answered.
        await asyncio.sleep(_LAST_ARRIVALS_S)
        await super().shutdown(sockets)
        logger.info("stopped")


class Supervisor:
    """Runs several workers on one socket, replaces those that are killed, passes signals on."""

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
        """Returns the exit status: 0 after a stop, that of a worker that gave up."""
        signals, wakeup = socket.socketpair()
        wakeup.setblocking(False)
        signal.set_wakeup_fd(wakeup.fileno())
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, lambda *_: None)  # its number arrives in `signals`
        with signals, wakeup:
            return self._watch(signals)

    def _watch(self, signals: socket.socket) -> int:
        for _ in range(self.count):
            self._start()
        status = 0
        while self.processes:
            if signals in wait([signals, *(process.sentinel for process in self.processes)]):
                self._stop(signals.recv(1)[0])
            for process in [process for process in self.processes if not process.is_alive()]:
                self.processes.remove(process)
                status = status or self._ended(process)
        return status

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=self.worker, args=(self.sock,))
        process.start()
        self.processes.append(process)

    def _ended(self, process: SpawnProcess) -> int:
        status = process.exitcode or 0
        killed = status < 0  # by the signal of that number
        if self.stopping:
            return 0 if killed else status
        logger.error("worker ended", extra={"fields": {"pid": process.pid, "status": status}})
        if killed:
            self._start()
            return 0
        self._stop(signal.SIGINT)  # its replacement would end in the same way
        return status

    def _stop(self, sig: int) -> None:
        self.stopping = True
        self.sock.close()  # a copy left open here would let clients wait for nobody
        for process in self.processes:
            if process.pid is not None:
                os.kill(process.pid, sig)


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """A directory through which the workers add up their metrics, empty at the start."""
    with tempfile.TemporaryDirectory(prefix="mien-metrics-") as own:
        directory = Path(os.environ.setdefault(_MULTIPROCESS_DIR, own))
        directory.mkdir(parents=True, exist_ok=True)
        for leftover in directory.glob("*.db"):
            leftover.unlink()
        yield
