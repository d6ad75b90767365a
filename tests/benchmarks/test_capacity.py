"""The benchmark runs against the real service, and the page shows what was measured last."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.capacity import LOADS, MIXED, RATES, WITHIN_MS, agrees, measure
from benchmarks.capacity_page import PAGE, render
from benchmarks.detect import SIZES
from benchmarks.record import RESULTS, machine
from service.settings import Settings


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    """A whole measurement, as short as it can be."""
    return measure(runs=3, requests=20)


def test_one_and_two_replicas_are_measured_and_simulated_alike(result: dict[str, Any]) -> None:
    assert [(row["replicas"], row["load"]) for row in result["checks"]] == [
        (count, load) for count in (1, 2) for load in LOADS
    ]
    for row in result["checks"]:
        assert row["requests"] == 20
        for side in ("measured", "simulated"):
            assert 0 < row[side]["p50_ms"] <= row[side]["p99_ms"]
            assert 0 <= row[side]["refused"] < 1


def test_a_replica_carries_less_the_sooner_it_must_answer(result: dict[str, Any]) -> None:
    assert list(result["photos"]) == [*SIZES, MIXED]
    for photos in result["photos"].values():
        carried = [photos["per_s_within_ms"][str(within)] for within in WITHIN_MS]
        assert carried == sorted(carried)
        assert carried[-1] <= photos["saturation_per_s"]


def test_there_are_as_many_replicas_as_the_rate_takes(result: dict[str, Any]) -> None:
    carried = result["photos"][MIXED]["per_s_within_ms"]
    for rate in RATES:
        for within, count in result["replicas_for_per_s"][str(rate)].items():
            if count is None:
                assert carried[within] == 0
            else:
                assert (count - 1) * carried[within] < rate <= count * carried[within]


def test_the_page_shows_the_result_that_is_checked_in() -> None:
    page = PAGE.read_text()

    assert "<!-- table: capacity -->" in page
    assert render(page, RESULTS / "capacity.json") == page


def test_the_result_that_is_checked_in_is_of_the_models_that_are_served() -> None:
    settings = Settings()
    models = json.loads((RESULTS / "capacity.json").read_text())["models"]

    assert f"expression-{models['expression'].split()[0]}" == settings.expression_model
    assert f"face-detector-{models['detector'].split()[0]}" == settings.detector_model


def test_a_new_result_replaces_the_old_one_and_nothing_else(
    result: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "capacity.json"
    marks = "before\n<!-- table: capacity -->\n{}<!-- end -->\nafter\n"

    missing = render(marks.format("old\n"), file)
    file.write_text(json.dumps({"machine": machine(), **result}))
    shown = render(missing, file)

    assert missing == marks.format("Not measured yet: `python -m benchmarks.capacity`.\n")
    assert re.sub(r"(?s)(capacity -->\n).*(<!-- end)", r"\1{}\2", shown) == marks
    for name in (*SIZES, MIXED):
        assert f"| {name} |" in shown
    for rate in RATES:
        assert f"| {rate} |" in shown
    assert len(re.findall(r"^\| [12] \| \d+% \|", shown, re.MULTILINE)) == 2 * len(LOADS)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, True),
        ({"p99_ms": 65.0}, True),
        ({"p99_ms": 55.0}, False),
        ({"p99_ms": 180.0}, True),
        ({"p99_ms": 195.0}, False),
        ({"refused": 0.06}, True),
        ({"refused": 0.08}, False),
    ],
)
def test_a_simulation_that_is_far_off_is_told(found: dict[str, float], expected: bool) -> None:
    row = {
        "simulated_at_less": {"p50_ms": 40.0, "p99_ms": 80.0, "refused": 0.0},
        "measured": {"p50_ms": 50.0, "p99_ms": 100.0, "refused": 0.0} | found,
        "simulated_at_more": {"p50_ms": 70.0, "p99_ms": 150.0, "refused": 0.05},
    }

    assert agrees(row) is expected
