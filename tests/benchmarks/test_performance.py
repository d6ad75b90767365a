"""docs/performance.md shows what was measured, and nothing else."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.performance import PAGE, TABLES, render
from benchmarks.record import RESULTS


def test_the_page_shows_the_results() -> None:
    page = PAGE.read_text()
    assert page == render(page, RESULTS), "run `python -m benchmarks.performance`"


def test_the_page_has_each_table_once() -> None:
    assert sorted(re.findall(r"<!-- table: (\w+) -->", PAGE.read_text())) == sorted(TABLES)


def test_what_is_not_in_a_table_tells_no_figure() -> None:
    prose = re.sub(r"<!-- table: .*?<!-- end -->", "", PAGE.read_text(), flags=re.DOTALL)
    # Only what is set, such as sizes of images and loads, may be told by hand.
    told = re.findall(r"\b\d[\d.,]* ?(?:ms|seconds|photos|a second|MiB|MB|times)\b", prose)
    assert told == []


@pytest.mark.parametrize("name", ["limit", "service", "peers", "startup", "fuzz", "overload"])
def test_each_result_has_ratios_and_its_machine(name: str) -> None:
    path = RESULTS / f"{name}.json"
    if not path.exists():
        assert "Not measured yet" in PAGE.read_text()
        return
    result = json.loads(path.read_text())
    assert result["ratios"]
    assert {"cpu", "cpus", "memory_gb", "load"} <= set(result["machine"])


def test_without_results_every_table_says_so(tmp_path: Path) -> None:
    page = render("<!-- table: limit -->\nold\n<!-- end -->\n", tmp_path)
    assert page == (
        "<!-- table: limit -->\nNot measured yet: `python -m benchmarks.limit`.\n<!-- end -->\n"
    )
