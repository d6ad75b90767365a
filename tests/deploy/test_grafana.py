"""The dashboard: every query of it is answered with something by the running stack."""

import json
import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from tests.deploy.engine import ROOT, until
from tests.deploy.load import Load, send, slow_clients
from tests.deploy.stack import Stack

DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/mien.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
QUERIES = [
    pytest.param(target["expr"].replace("$__rate_interval", "1m"), id=f"{panel['title']}-{number}")
    for panel in PANELS
    for number, target in enumerate(panel.get("targets", []))
]


@pytest.fixture(scope="module")
def busy_stack(stack: Stack, photo: bytes) -> Iterator[Stack]:
    """Photos are answered all the time, and one was refused."""
    replica = f"http://{stack.engine.address(stack.replicas()[0])}:8000"
    places = 64
    with slow_clients(replica, places):
        until("every place is taken", lambda: send(replica, "POST", "/predict")[0] == 503)
    with Load(stack.address, photo, rate=5, clients=2):
        yield stack


def shows_something(stack: Stack, expression: str) -> bool:
    return any(not math.isnan(float(series["value"][1])) for series in stack.query(expression))


@pytest.mark.parametrize("expression", QUERIES)
def test_a_panel_shows_something(busy_stack: Stack, expression: str) -> None:
    until(expression, lambda: shows_something(busy_stack, expression))


def test_panels_fill_the_page_and_do_not_overlap() -> None:
    def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        return {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}

    covered = [cells(panel) for panel in PANELS]
    height = max(y for _, y in set.union(*covered)) + 1

    assert not any(one & other for one, other in combinations(covered, 2))
    assert set.union(*covered) == {(x, y) for x in range(24) for y in range(height)}


def test_every_panel_is_named_once_and_has_a_unit() -> None:
    titles = [panel["title"] for panel in PANELS]
    drawn = [panel for panel in PANELS if panel["type"] not in {"row", "table", "heatmap"}]

    assert len(set(titles)) == len(titles)
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in drawn)


def test_every_query_asks_the_data_source_that_is_chosen_on_the_page() -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    asked = {target["datasource"]["uid"] for panel in PANELS for target in panel.get("targets", [])}

    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    assert asked == {f"${{{variable['name']}}}"}


def test_grafana_finds_its_files_where_they_are_mounted() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    provider = (ROOT / "deploy/grafana/provisioning/dashboards/mien.yml").read_text()

    assert "./deploy/grafana/dashboards:/etc/grafana/dashboards:ro" in compose
    assert "path: /etc/grafana/dashboards\n" in provider
    assert "./deploy/grafana/provisioning:/etc/grafana/provisioning:ro" in compose
