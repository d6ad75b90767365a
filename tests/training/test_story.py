"""What the report tells in sentences is what was measured."""

from typing import Any

import pytest

from training.comparison import WHOLE_TEST
from training.story import paper_angry_recall, why_missed

TEST = {
    "angry": 958, "disgust": 111, "fear": 1024, "happy": 1774, "sad": 1247, "surprise": 831,
    "neutral": 1233,
}  # fmt: skip


def test_the_papers_recalls_need_a_poor_one_for_angry() -> None:
    """By hand: .25 of 111, .8 of 1024, .73 of 1774, .67 of 1247, all of 831, .73 of 1233."""
    named = 27.75 + 819.2 + 1295.02 + 835.49 + 831 + 900.09
    assert paper_angry_recall(TEST) == pytest.approx((0.7013 * 7178 - named) / 958)


def figures(accuracy: float, **curve: list[float]) -> dict[str, Any]:
    return {"splits": {WHOLE_TEST: {"accuracy": accuracy}}, "curve": curve}


def missed(accuracy: float, unweighted: dict[str, Any] | None) -> str:
    proposed = figures(accuracy, training=[0.4, 0.62], PublicTest=[0.59, 0.575])
    return why_missed({"systems": {"proposed": proposed}, "balancing": {"none": unweighted}})


def test_what_the_runs_say_of_a_missed_accuracy() -> None:
    told = missed(0.58, figures(0.61))
    for said in (
        "the 12.1 points that `proposed` misses",
        "62.00 % of the Training images",
        "57.50 % of PublicTest's",
        "would add 1.5 points",
        "Class weights cost 3.0",
        "has 61.00 on both",
        "the other 9.1",
    ):
        assert said in told


def test_there_is_nothing_to_say_where_it_holds_or_was_not_compared() -> None:
    assert missed(0.672, figures(0.68)) == ""
    assert missed(0.58, None) == ""
    nobody: dict[str, Any] = {"systems": {"proposed": None}, "balancing": {"none": None}}
    assert why_missed(nobody) == ""
