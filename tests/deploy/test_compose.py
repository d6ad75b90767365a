"""The compose stack through its front door: shared load, killed and restarted replicas."""

import json
import os
import re
import signal
import time
from ipaddress import ip_address, ip_network

import yaml

from service.settings import Settings
from tests.deploy.budgets import stopping_s
from tests.deploy.engine import ROOT, until
from tests.deploy.load import PHOTO, Load, send
from tests.deploy.stack import Stack

REPLICA = r'"replica":"([\d.]+):8000'


def test_a_photo_is_answered_through_the_front_door(stack: Stack, photo: bytes) -> None:
    status, headers, body = send(
        stack.address, "POST", "/predict", photo, PHOTO | {"X-Request-ID": "through-the-door"}
    )

    assert status == 200
    assert json.loads(body)["faces"][0]["dominant_emotion"] == "happy"
    assert json.loads(body)["request_id"] == headers["X-Request-ID"] == "through-the-door"


def test_the_replicas_share_the_load(stack: Stack, photo: bytes) -> None:
    with Load(stack.address, photo) as load:
        load.await_more(60)
    log = stack.engine.docker("logs", stack.container("nginx"))
    answered = re.findall(REPLICA, log)[-60:]

    assert load.outcomes() == {200}
    shares = [answered.count(stack.engine.address(replica)) for replica in stack.replicas()]
    assert sum(shares) == 60
    assert min(shares) >= 15  # chance gives less once in 30,000 times


def test_the_replicas_believe_nginx_who_its_clients_are(stack: Stack) -> None:
    """All come through it; so MIEN_RATE_LIMIT_PER_MINUTE, where it is set, counts clients."""
    (trusted,) = {
        variable.removeprefix("MIEN_TRUSTED_PROXIES=")
        for replica in stack.replicas()
        for variable in json.loads(stack.engine.inspect(replica, "{{json .Config.Env}}"))
        if variable.startswith("MIEN_TRUSTED_PROXIES=")
    }
    nginx = ip_address(stack.engine.address(stack.container("nginx")))

    assert any(nginx in ip_network(network) for network in trusted.split(","))


def test_replicas_are_stopped_no_sooner_than_they_are_done() -> None:
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["mien"]
    allowed = service["stop_grace_period"]

    assert stopping_s(Settings(metrics_port=9000)) <= int(allowed.removesuffix("s"))
    page = (ROOT / "docs" / "operations.md").read_text()
    assert set(re.findall(r"docker (?:stop|restart) --time (\d+)", page)) == {allowed.rstrip("s")}


def test_a_killed_replica_costs_next_to_nothing_and_comes_back(stack: Stack, photo: bytes) -> None:
    victim, _ = stack.replicas()
    restarts = stack.engine.inspect(victim, "{{.RestartCount}}")
    with Load(stack.address, photo) as load:
        load.await_more(20)
        os.kill(int(stack.engine.inspect(victim, "{{.State.Pid}}")), signal.SIGKILL)
        killed = time.monotonic()
        load.await_more(400)  # of which those that were under way, one a client, are 1 %
        while time.monotonic() < killed + 10:
            load.await_more(1)
        until(
            "the engine has started it again",
            lambda: stack.engine.inspect(victim, "{{.RestartCount}}") != restarts,
        )
        stack.engine.await_health(victim)
        load.await_more(20)

    failures = [answer for answer in load.answers if answer.outcome != 200]
    assert len(failures) < len(load.answers) / 100
    assert all(failure.ended < killed + 10 for failure in failures)


def test_a_rolling_restart_loses_nothing(stack: Stack, photo: bytes) -> None:
    with Load(stack.address, photo) as load:
        for replica in stack.replicas():
            started = stack.engine.inspect(replica, "{{.State.StartedAt}}")
            stack.engine.docker("restart", "--time", "30", replica)
            assert stack.engine.inspect(replica, "{{.State.StartedAt}}") > started
            stack.engine.await_health(replica)
            load.await_more(20)

    assert load.outcomes() == {200}


def test_an_upgrade_loses_nothing(stack: Stack, image: str, photo: bytes) -> None:
    """The commands of docs/operations.md: new replicas beside the old ones, which then stop."""
    engine, old = stack.engine, stack.replicas()
    before = engine.inspect(image, "{{.Id}}")
    engine.docker("build", "--tag", image, "-", text=f"FROM {image}\nLABEL upgraded=yes\n")
    after = engine.inspect(image, "{{.Id}}")
    with Load(stack.address, photo) as load:
        stack.compose(
            *("up", "--detach", "--no-build", "--no-deps", "--no-recreate", "--scale", "mien=4"),
            "mien",
        )
        new = set(stack.replicas()) - set(old)
        for replica in new:
            engine.await_health(replica)
        engine.docker("stop", "--time", "30", *old)
        engine.docker("rm", *old)
        load.await_more(20)
    engine.docker("tag", before, image)

    assert load.outcomes() == {200}
    assert set(stack.replicas()) == new
    assert {engine.inspect(replica, "{{.Image}}") for replica in new} == {after}
