"""A Docker engine of this test run's own: its images, containers and networks end with it."""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Nothing here takes this long, unless it never ends.
PATIENCE_S = 300.0


def until(what: str, condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Waits for other processes: asks `condition` again and again, and fails after `patience_s`."""
    give_up = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < give_up, f"still not so after {patience_s:g} s: {what}"
        time.sleep(0.05)


class NoEngine(Exception):
    """This machine cannot run what the tests need; says why."""


class Engine:
    """The commands of one Docker engine."""

    def __init__(self, socket: Path) -> None:
        self.environment = {**os.environ, "DOCKER_HOST": f"unix://{socket}"}

    def run(
        self, *command: str | Path, variables: Mapping[str, str] | None = None, text: str = ""
    ) -> str:
        """What a command prints that reads `text`. One that fails fails the test with its words."""
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment | dict(variables or {}),
            input=text.encode(),
            capture_output=True,
        )
        printed = (done.stdout + done.stderr).decode()
        assert done.returncode == 0, f"{shlex.join(map(str, command))}: {printed}"
        return done.stdout.decode().strip()

    def docker(self, *arguments: str | Path, text: str = "") -> str:
        return self.run("docker", *arguments, text=text)

    def can(self, *command: str) -> bool:
        """Whether a command succeeds."""
        return not subprocess.run(command, env=self.environment, capture_output=True).returncode

    def inspect(self, name: str, template: str) -> str:
        """What is known of a container or an image, such as {{.State.Status}}."""
        return self.docker("inspect", "--format", template, name)

    def address(self, container: str) -> str:
        """The IP address of a container, for this machine alone."""
        return self.inspect(container, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")

    def await_health(self, container: str) -> None:
        """Waits until a container's own HEALTHCHECK finds it healthy."""
        until(
            f"{container} is healthy",
            lambda: self.inspect(container, "{{.State.Health.Status}}") == "healthy",
        )


@contextmanager
def running_engine() -> Iterator[Engine]:
    """A Docker engine beside any other that this machine runs. Raises `NoEngine`."""
    if shutil.which("dockerd") is None or shutil.which("docker") is None:
        raise NoEngine("no Docker engine: apt-get install docker.io docker-compose")
    if os.geteuid() != 0:
        raise NoEngine("a Docker engine of its own needs root: sudo make test-deploy")
    # Not in /tmp, which may be memory; and a short name, since sockets are in there.
    directory = Path(tempfile.mkdtemp(prefix="mien-", dir="/var/tmp"))
    engine = Engine(directory / "docker.sock")
    log = directory / "log"
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            [
                *("dockerd", "--host", engine.environment["DOCKER_HOST"]),
                *("--data-root", directory / "data", "--exec-root", directory / "exec"),
                *("--pidfile", directory / "pid", "--containerd-namespace", "mien-tests"),
                *("--bridge", "none"),  # the usual one is the other engine's
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C ends the tests, and they end this
        )
    try:
        until(
            "the Docker engine answers, or has ended",
            lambda: daemon.poll() is not None or engine.can("docker", "info"),
        )
        if daemon.poll() is not None:
            raise NoEngine(f"dockerd does not run here: {log.read_text()[-1000:]}")
        yield engine
        _remove_everything(engine)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(PATIENCE_S)
        _unmount(directory)
        shutil.rmtree(directory)


def _remove_everything(engine: Engine) -> None:
    """Networks are the machine's, and outlive an engine that is merely stopped."""
    containers = engine.docker("ps", "--all", "--quiet").split()
    if containers:
        engine.docker("rm", "--force", *containers)
    engine.docker("network", "prune", "--force")


def _unmount(directory: Path) -> None:
    """An engine that has ended leaves the network of the machine mounted below its directory."""
    for mount in Path("/proc/self/mounts").read_text().splitlines():
        place = mount.split()[1]
        if place.startswith(f"{directory}/"):
            subprocess.run(["umount", place], check=True)
