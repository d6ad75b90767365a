import sys
from pathlib import Path

import pytest

from benchmarks.process import free_port, running
from tests.deploy.engine import until

SERVER = """
import subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def alive(pid: int) -> bool:
    """Whether it runs: one that ended may stay in the list until it is reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def test_a_server_is_all_its_processes_and_none_outlives_it() -> None:
    port = free_port()
    command = [sys.executable, "-c", SERVER, str(port)]
    with running(command, port, {}, ready="/") as server:
        pids = server.processes()
        resident, own, used = server.resident_mb(), server.own_mb(), server.cpu_s()

    assert len(pids) == 2
    assert resident > own > 1
    assert used > 0
    until("all of them have ended", lambda: not any(map(alive, pids)))


def test_a_server_that_ends_says_why() -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such model')"]
    with pytest.raises(RuntimeError, match="no such model"), running(command, 1, {}, ready="/"):
        pass
