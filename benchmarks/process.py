"""The service as a process of its own, for as long as a measurement lasts."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running_service(**settings: object) -> Iterator[str]:
    """Start `mien serve` with MIEN_<setting> set, and yield its address once it is ready.

    Raises `RuntimeError` if the process ends before it is ready, or isn't ready in a minute.
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    variables = {f"MIEN_{name.upper()}": str(value) for name, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "serve"],
        env={**os.environ, "MIEN_HOST": "127.0.0.1", "MIEN_PORT": str(port), **variables},
        stdout=subprocess.DEVNULL,  # one line a request
    )
    try:
        _wait_until_ready(process, address)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise RuntimeError(f"the service ended with status {process.returncode}")
        try:
            if httpx2.get(f"{address}/health/ready").status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.02)
    raise RuntimeError("the service was not ready after a minute")
