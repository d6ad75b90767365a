"""Prometheus' configuration, rules and their tests, and an alert from beginning to end."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from service.metrics import IMAGE_ROUTES, Metrics
from service.settings import Settings
from tests.deploy import images
from tests.deploy.engine import ROOT, Engine, until
from tests.deploy.stack import Stack

CONFIG = ROOT / "deploy" / "prometheus"
RULES = sorted(CONFIG.glob("rules/*.yml"))
TESTS = sorted(CONFIG.glob("tests/*.yml"))
ALERT = re.compile(r"- alert: (\w+)")


def promtool(engine: Engine, *arguments: str) -> str:
    return engine.docker(
        *("run", "--rm", "--network", "none", "--volume", f"{CONFIG}:/etc/prometheus:ro"),
        *("--entrypoint", "promtool", images.named("prom/prometheus"), *arguments),
    )


def text(files: list[Path]) -> str:
    return "".join(file.read_text() for file in files)


def test_promtool_accepts_the_configuration_and_its_rules(engine: Engine) -> None:
    printed = promtool(engine, "check", "config", "/etc/prometheus/prometheus.yml")

    assert f"{len(RULES)} rule files found" in printed


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_the_rules_pass_their_tests(engine: Engine, file: Path) -> None:
    promtool(engine, "test", "rules", f"/etc/prometheus/tests/{file.name}")


def test_every_alert_has_a_test() -> None:
    alerts = set(ALERT.findall(text(RULES)))

    assert len(alerts) > 8
    assert alerts == set(re.findall(r"alertname: (\w+)", text(TESTS)))


def known_series() -> set[str]:
    """The names of all series that the service has."""
    registry: CollectorRegistry = Metrics(version="0").registry
    endings = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("_total",)}
    return {
        metric.name + ending
        for metric in registry.collect()
        for ending in endings.get(metric.type, ("",))
    }


def test_the_rules_name_series_that_there_are() -> None:
    named = set(re.findall(r"\b(?:mien|process)_[a-z_]+", text(RULES)))

    assert len(named) > 10
    assert named <= known_series()


def test_the_rules_count_the_routes_that_take_images() -> None:
    named = set(re.findall(r'route=~"([^"]+)"', text(RULES)))

    assert named == {"|".join(IMAGE_ROUTES)}


def test_a_queue_is_saturated_when_it_is_half_full() -> None:
    (limit,) = re.findall(r"mien_queue_depth\[\w+\]\) > (\d+)", text(RULES))

    assert 2 * int(limit) == Settings().max_queue_size


def test_an_alert_fires_when_the_service_is_stopped_and_ends_when_it_is_back(
    stack: Stack,
) -> None:
    fires = 'ALERTS{alertname="MienDown",alertstate="firing"}'
    until("both replicas are scraped", lambda: len(stack.query('up{job="mien"} == 1')) == 2)
    assert stack.query(fires) == []
    stack.compose("stop", "mien")
    until("the alert fires", lambda: stack.query(fires) != [])
    stack.up()
    until("the alert has ended", lambda: stack.query(fires) == [])

    assert stack.query('absent(up{job="mien"} == 1)') == []
