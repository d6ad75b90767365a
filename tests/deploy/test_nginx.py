"""nginx in front of the replicas: its configuration, what it refuses, and slow clients."""

import contextlib
import gzip
import json
import re

import yaml

from service.errors import PayloadTooLarge, RateLimited
from service.settings import Settings
from tests.deploy import images
from tests.deploy.engine import ROOT, Engine, until
from tests.deploy.load import PHOTO, Load, answered, connect, send, slow_clients
from tests.deploy.stack import Stack

CONFIG = ROOT / "deploy" / "nginx" / "nginx.conf"
MEBIBYTE = 2**20


def test_nginx_accepts_its_configuration(engine: Engine) -> None:
    engine.docker(
        *("run", "--rm", "--network", "none", "--read-only", "--user", "101:101"),
        *("--tmpfs", "/tmp", "--volume", f"{CONFIG}:/etc/nginx/nginx.conf:ro"),
        *(images.named("nginx"), "nginx", "-t"),
    )


def setting(name: str) -> str:
    """The value of a directive where the configuration has it first."""
    (value, *_) = re.findall(rf"^\s*{name} ([^;]+);", CONFIG.read_text(), re.MULTILINE)
    return str(value)


def test_its_limits_fit_those_of_the_service() -> None:
    settings = Settings()

    assert int(setting("client_max_body_size").removesuffix("m")) * MEBIBYTE == (
        settings.max_body_bytes
    )
    assert int(setting("proxy_read_timeout").removesuffix("s")) > settings.deadline_s


def test_it_has_room_for_all_the_bodies_that_it_lets_in() -> None:
    nginx = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["nginx"]
    (store,) = re.findall(r"^/tmp:size=(\d+)g,", "\n".join(nginx["tmpfs"]))
    bodies = int(setting("limit_conn bodies"))
    largest, buffer = (
        int(setting(f"client_{name}_size").removesuffix("m"))
        for name in ("max_body", "body_buffer")
    )

    assert bodies * largest <= int(store) * 1024
    assert bodies * (largest + buffer) + 64 <= int(nginx["mem_limit"].removesuffix("m"))
    assert int(setting("worker_processes")) == nginx["cpus"]


def test_a_body_that_is_too_large_is_refused_in_the_words_of_the_service(stack: Stack) -> None:
    with contextlib.closing(connect(stack.address)) as connection:
        connection.putrequest("POST", "/predict")
        connection.putheader("Content-Length", str(Settings().max_body_bytes + 1))
        connection.endheaders()
        answer = connection.getresponse()
        problem = json.loads(answer.read())

    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status, problem["status"], problem["code"]) == (413, 413, PayloadTooLarge.code)
    assert problem["instance"] == answer.headers["X-Request-ID"]


def test_a_body_that_is_just_small_enough_gets_to_the_service(stack: Stack) -> None:
    body = bytes(Settings().max_body_bytes)
    status, _, answer = send(stack.address, "POST", "/predict", body, PHOTO)

    assert (status, json.loads(answer)["code"]) == (400, "undecodable_image")


def test_no_log_names_a_client_or_what_it_asked(stack: Stack) -> None:
    for query, body in (("?private=1", b""), ("?private=2", bytes(2 * MEBIBYTE))):
        assert send(stack.address, "POST", f"/predict{query}", body, PHOTO)[0] == 422
    logs = stack.compose("logs", "--no-color", "nginx")

    assert logs.count('"status":422') >= 2
    assert "private" not in logs
    assert "client:" not in logs


def test_slow_clients_do_not_stop_the_others(stack: Stack, photo: bytes) -> None:
    count = int(setting("limit_conn connections")) - 8  # more than Load's own
    with slow_clients(stack.address, count) as clients, Load(stack.address, photo) as load:
        load.await_more(100)
        assert answered(clients) == 0

    assert load.outcomes() == {200}


def test_a_greedy_client_is_told_to_wait(stack: Stack) -> None:
    with slow_clients(stack.address, int(setting("limit_conn connections"))):
        until("the client has its share", lambda: send(stack.address, "GET", "/model")[0] == 429)
        _, headers, body = send(stack.address, "GET", "/model")
    until("it may ask again", lambda: send(stack.address, "GET", "/model")[0] == 200)

    assert headers["Retry-After"] == "1"
    assert json.loads(body)["code"] == RateLimited.code


def test_metrics_are_not_for_everybody(stack: Stack) -> None:
    assert send(stack.address, "GET", "/metrics")[0] == 404


def test_text_is_compressed(stack: Stack) -> None:
    _, plain_headers, plain = send(stack.address, "GET", "/openapi.json")
    _, headers, body = send(
        stack.address, "GET", "/openapi.json", headers={"Accept-Encoding": "gzip"}
    )

    assert "Content-Encoding" not in plain_headers
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == plain
