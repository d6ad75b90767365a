"""The committed report says what its results file says."""

import json
from pathlib import Path

from training.page import render

REPORT = Path(__file__).parents[2] / "docs" / "report"


def test_the_committed_page_is_that_of_its_results() -> None:
    results = json.loads((REPORT / "results.json").read_text())
    assert not results["rehearsal"]
    assert (REPORT / "README.md").read_text() == render(results)
