"""The committed report says what its results file says, and its arithmetic is right."""

import json
from pathlib import Path

import pytest

from training.page import paper_angry_recall, render

REPORT = Path(__file__).parents[2] / "docs" / "report"
TEST = {
    "angry": 958, "disgust": 111, "fear": 1024, "happy": 1774, "sad": 1247, "surprise": 831,
    "neutral": 1233,
}  # fmt: skip


def test_the_committed_page_is_that_of_its_results() -> None:
    results = json.loads((REPORT / "results.json").read_text())
    assert not results["rehearsal"]
    assert (REPORT / "README.md").read_text() == render(results)


def test_the_papers_recalls_need_a_poor_one_for_angry() -> None:
    """By hand: .25 of 111, .8 of 1024, .73 of 1774, .67 of 1247, all of 831, .73 of 1233."""
    named = 27.75 + 819.2 + 1295.02 + 835.49 + 831 + 900.09
    assert paper_angry_recall(TEST) == pytest.approx((0.7013 * 7178 - named) / 958)
