"""Closed loop: wrk keeps a number of requests under way, and counts how many are answered."""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.payloads import Payload
from benchmarks.process import Server

SCRIPT = Path(__file__).parent / "closed.lua"


@dataclass(frozen=True, slots=True)
class Throughput:
    """Requests a second, the CPU time of the server for each, and their latency.

    `client_cpus` is how many CPUs the client kept busy, which the server did not have.
    """

    per_s: float
    cpu_ms: float
    p50_ms: float
    p99_ms: float
    client_cpus: float


def closed_loop(server: Server, payload: Payload, *, connections: int, seconds: int) -> Throughput:
    """Post `payload` over `connections` connections, one request after the other on each.

    wrk runs on the same CPUs. Raises `RuntimeError` unless every answer is a 2xx.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(payload.body)
        file.flush()
        url = server.address + payload.path
        how = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=30s", "-s", str(SCRIPT)]
        cpu, client = server.cpu_s(), _children_cpu_s()
        finished = subprocess.run(  # noqa: S603 - a command of ours
            [_program(), *how, url, "--", file.name, payload.content_type],
            capture_output=True,
            text=True,
            check=True,
        )
        cpu, client = server.cpu_s() - cpu, _children_cpu_s() - client
    found = json.loads(finished.stdout.splitlines()[-1])
    if found["refused"] or found["broken"] or not found["requests"]:
        raise RuntimeError(f"{url}: expected answers to all, found {found}")
    return Throughput(
        per_s=found["requests"] / found["us"] * 1e6,
        cpu_ms=1000 * cpu / found["requests"],
        p50_ms=found["p50_us"] / 1000,
        p99_ms=found["p99_us"] / 1000,
        client_cpus=client / (found["us"] / 1e6),
    )


def _children_cpu_s() -> float:
    """CPU time of the programs that have been run and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _program() -> str:
    found = shutil.which("wrk")
    if found is None:
        sys.exit("this needs wrk: apt-get install wrk")
    return found
