"""The shipped compose file, up and running."""

import http.client
import json
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.process import free_port
from tests.deploy.engine import Engine, until
from tests.deploy.load import send


class Stack:
    """The services of the compose file, as seen from the machine that they run on."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        ports = {name: str(free_port()) for name in ("HTTP_PORT", "PROMETHEUS_PORT")}
        self.variables = {"COMPOSE_PROJECT_NAME": "mien-tests", **ports}
        self.address = f"http://127.0.0.1:{ports['HTTP_PORT']}"
        self.prometheus = f"http://127.0.0.1:{ports['PROMETHEUS_PORT']}"
        plugin = ("docker", "compose")
        self._compose = plugin if engine.can(*plugin, "version") else ("docker-compose",)

    def compose(self, *arguments: str) -> str:
        return self.engine.run(*self._compose, *arguments, variables=self.variables)

    def up(self) -> None:
        """Two replicas, nginx and Prometheus, ready. What runs already goes on."""
        self.compose(
            *("up", "--detach", "--no-build", "--no-recreate", "--scale", "mien=2"),
            *("mien", "nginx", "prometheus"),
        )
        for replica in self.replicas():
            self.engine.await_health(replica)
        until("nginx answers", self._answers)

    def _answers(self) -> bool:
        try:
            return send(self.address, "GET", "/health/ready")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def container(self, service: str) -> str:
        """The one container of a service."""
        (container,) = self.compose("ps", "--quiet", service).split()
        return container

    def replicas(self) -> list[str]:
        """The containers that run mien."""
        return self.compose("ps", "--quiet", "mien").split()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query to Prometheus."""
        parameters = urllib.parse.urlencode({"query": expression})
        _, _, body = send(self.prometheus, "GET", f"/api/v1/query?{parameters}")
        answer = json.loads(body)
        assert answer["status"] == "success", f"{expression}: {answer['error']}"
        series: list[dict[str, Any]] = answer["data"]["result"]
        return series


@contextmanager
def running_stack(engine: Engine) -> Iterator[Stack]:
    stack = Stack(engine)
    try:
        stack.up()
        yield stack
    finally:
        stack.compose("down", "--volumes")
