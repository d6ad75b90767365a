"""The HTTP server, in one process or several."""

import functools
import gc
import logging
import math
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from service import __version__
from service.admission import Admission
from service.app import create_app
from service.cpus import take_turns
from service.drain import Server
from service.logs import configure_logging
from service.memory import keep_memory
from service.metrics import MULTIPROCESS_DIR, Metrics, render_processes
from service.metrics_server import Render, serving_metrics
from service.protocol import BoundedProtocol
from service.settings import Settings
from service.supervisor import GIVEN_UP, Supervisor

_METRICS_BYTES = 4 * 2**16  # the first files of one worker: of counters, histograms and two gauges
_FAREWELL_S = 2.0  # for threads that still work when the server has ended

# `create_app`, or what takes its place in worker processes too: picklable.
Create = Callable[..., FastAPI]

logger = logging.getLogger(__name__)


def serve(settings: Settings, *, create: Create = create_app) -> int:
    """Serves what `create` makes until a signal stops it, and returns the exit status.

    Raises `OSError` when the address cannot be had, `SystemExit` when the start fails or the
    process is given up.
    """
    configure_logging(settings.log_level)
    sock = _bind(settings.host, settings.port)
    if settings.workers == 1:
        # Who has set that directory has chosen the way of several processes for one, too.
        shared = MULTIPROCESS_DIR in os.environ
        with _shared_metrics(1) if shared else nullcontext():
            metrics = Metrics(version=__version__)
            with _metrics_port(settings, metrics.render):
                _work(settings, create, sock, metrics)
        return 0
    with (
        _shared_metrics(settings.workers) as directory,
        _metrics_port(settings, functools.partial(render_processes, directory)),
    ):
        worker = functools.partial(_work, settings, create)
        return Supervisor(worker, settings.workers, sock).run()


def _work(
    settings: Settings, create: Create, sock: socket.socket, metrics: Metrics | None = None
) -> None:
    """One server process, until it is told to stop."""
    keep_memory()
    take_turns()
    configure_logging(settings.log_level)
    admission = Admission(settings.max_concurrent_requests)
    app = create(settings, admission=admission, metrics=metrics, lost=lambda: server.give_up())
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        workers=settings.workers,
        log_config=None,
        log_level="warning",  # the steps of a server's life are told below
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(_as_seen(settings.trusted_proxies)),
        timeout_keep_alive=settings.keep_alive_s,
        # No accepted request takes longer than its deadline.
        timeout_graceful_shutdown=math.ceil(settings.deadline_s) + 1,
    )
    # What was imported stays: no collection has to look at it again, which takes 14 ms.
    gc.freeze()
    server: Server = Server(config, drain=admission.drain, drain_delay_s=settings.drain_delay_s)
    server.run([sock])
    _leave(GIVEN_UP if server.gave_up else 0)


def _as_seen(networks: Iterable[IPv4Network | IPv6Network]) -> Iterator[str]:
    """The networks; those of IPv4 also as a socket of IPv6 sees them (RFC 4291, 2.5.5.2)."""
    for network in networks:
        yield str(network)
        if network.version == 4:
            yield f"::ffff:{network.network_address}/{96 + network.prefixlen}"


def _leave(status: int) -> None:
    """Ends the process if the status or a thread that is stuck asks for it.

    Python itself would wait for the thread, for ever; a batch worker, for which it does not wait,
    would make ONNX Runtime abort the process.
    """
    end = time.monotonic() + _FAREWELL_S
    others = [
        thread
        for thread in threading.enumerate()
        if thread is not threading.current_thread()
        and (not thread.daemon or thread.name == "batch-worker")
    ]
    for thread in others:
        thread.join(max(0.0, end - time.monotonic()))
    if any(thread.is_alive() for thread in others):
        logger.error("a stuck thread is left behind")
        logging.shutdown()
        os._exit(status)
    if status:
        sys.exit(status)


@contextmanager
def _metrics_port(settings: Settings, render: Render) -> Iterator[None]:
    """A port for metrics alone, if one is set."""
    if settings.metrics_port is None:
        yield
        return
    with serving_metrics(render, _bind(settings.host, settings.metrics_port)):
        yield


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


@contextmanager
def _shared_metrics(workers: int) -> Iterator[Path]:
    """A directory through which the workers add up their metrics, empty at the start."""
    given = os.environ.get(MULTIPROCESS_DIR)
    own = tempfile.TemporaryDirectory(prefix="mien-metrics-") if not given else nullcontext(given)
    with own as name:
        os.environ[MULTIPROCESS_DIR] = name
        directory = Path(name)
        directory.mkdir(parents=True, exist_ok=True)
        for leftover in directory.glob("*.db"):
            leftover.unlink()
        # Workers map their files into memory: on a full disk they would die of it, time and again.
        probe = directory / "probe.db"
        probe.write_bytes(bytes(workers * _METRICS_BYTES))
        probe.unlink()
        yield directory
