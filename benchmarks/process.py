"""A server as processes of its own, for as long as a measurement lasts."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

ROOT = Path(__file__).parent.parent
_READY_S = 120
_GOODBYE_S = 20
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """A server at `address` that was ready `ready_s` after its start. `pid` leads its processes."""

    address: str
    pid: int
    ready_s: float

    def processes(self) -> list[int]:
        """All that it consists of: it and what it started, directly or not."""
        found = [self.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    found.extend(map(int, task.read_text().split()))
                except OSError:  # it ended meanwhile
                    continue
        return found

    def models(self) -> dict[str, str]:
        """What it answers with: the name, version and precision of each model."""
        models = httpx2.get(f"{self.address}/model").raise_for_status().json()
        return {
            name: f"{model['name']}-{model['version']} {model['precision']}"
            for name, model in models.items()
        }

    def cpu_s(self) -> float:
        """CPU time that all of them have used, in seconds."""
        ticks = 0
        for pid in self.processes():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            ticks += int(fields[11]) + int(fields[12])  # utime and stime: proc(5)
        return ticks / _TICKS_PER_S

    def resident_mb(self) -> float:
        """Memory of all of them, in MiB; what they share counts once (PSS)."""
        return self._rollup_mb("Pss")

    def own_mb(self) -> float:
        """The part of it that is in no file, such as heaps.

        Of a file that others map too, such as Python, PSS has a share that changes with them.
        """
        return self._rollup_mb("Pss_Anon")

    def _rollup_mb(self, field: str) -> float:
        kilobytes = 0
        for pid in self.processes():
            try:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            kilobytes += sum(
                int(line.split()[1]) for line in rollup.splitlines() if line.startswith(f"{field}:")
            )
        return kilobytes / 1024


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str | Path], port: int, variables: Mapping[str, str], *, ready: str
) -> Iterator[Server]:
    """Start a server and yield it once GET `ready` answers 200; end all its processes after.

    `variables` are added to the environment. Raises `RuntimeError` if the process ends before it is
    ready, or isn't ready in two minutes.
    """
    address = f"http://127.0.0.1:{port}"
    started = time.monotonic()
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(  # noqa: S603 - a command of ours
            command,
            cwd=ROOT,
            env={**os.environ, **variables},
            stdout=subprocess.DEVNULL,  # one line a request
            stderr=complaints,
            start_new_session=True,
        )
        try:
            if not _becomes_ready(process, address + ready):
                complaints.seek(0)
                last = complaints.read()[-2000:].decode(errors="replace")
                raise RuntimeError(f"{command}: not ready; status {process.poll()}:\n{last}")
            yield Server(address, process.pid, time.monotonic() - started)
        finally:
            everyone = Server(address, process.pid, 0.0).processes()
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):  # some servers never end
                process.wait(timeout=_GOODBYE_S)
            for pid in everyone:
                _kill(pid)
            process.wait()


@contextmanager
def service(variables: Mapping[str, str] | None = None, /, **settings: object) -> Iterator[Server]:
    """`mien serve` with MIEN_<setting> set, and with other `variables` of the environment."""
    port = free_port()
    ours = {"host": "127.0.0.1", "port": port, **settings}
    variables = {**(variables or {}), **{f"MIEN_{k.upper()}": str(v) for k, v in ours.items()}}
    command = [sys.executable, "-m", "service", "serve"]
    with running(command, port, variables, ready="/health/ready") as server:
        yield server


@contextmanager
def running_service(**settings: object) -> Iterator[str]:
    """The same, for who wants to know its address only."""
    with service(**settings) as server:
        yield server.address


def _becomes_ready(process: subprocess.Popen[bytes], url: str) -> bool:
    give_up = time.monotonic() + _READY_S
    with httpx2.Client() as client:  # making one takes longer than many a start
        while process.poll() is None and time.monotonic() < give_up:
            try:
                if client.get(url).status_code == 200:
                    return True
            except httpx2.TransportError:
                pass
            time.sleep(0.01)
    return False


def _kill(pid: int) -> None:
    """What outlived its parent's SIGTERM."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
