"""nginx with the configuration that is shipped, in front of something on this machine."""

import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.process import free_port
from tests.deploy.engine import until
from tests.service.test_server import ROOT

# Debian puts it where only root looks for programs.
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@contextmanager
def shipped_nginx(folder: Path, places: Mapping[str, str]) -> Iterator[int]:
    """Its port, while it runs; `places` are what it leads to, as shipped and as they are here."""
    if NGINX is None:
        pytest.skip("nginx is not installed")
    port = free_port()
    config = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
    moved = {**places, "listen 8080": f"listen 127.0.0.1:{port}", "/tmp/": f"{folder}/"}
    for shipped, here in moved.items():
        assert shipped in config
        config = config.replace(shipped, here)
    file = folder / "nginx.conf"
    file.write_text(config)
    command = [NGINX, "-p", str(folder), "-c", str(file), "-g", "daemon off;"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as nginx:
        try:
            until("nginx listens", lambda: _listens(port))
            yield port
        finally:
            nginx.terminate()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
