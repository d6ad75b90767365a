"""Who is better than whom, from answers to the same images or from confusion matrices alone."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from training.metrics import mcnemar
from training.neighbours import answers, compare_neighbours, digits

LABELS = np.arange(700, dtype=np.uint8) % 7


def matrix(said: NDArray[np.integer[Any]]) -> list[list[int]]:
    confusion = np.zeros((7, 7), int)
    np.add.at(confusion, (LABELS, said), 1)
    rows: list[list[int]] = confusion.tolist()
    return rows


def system(right: float, seed: int, *, kept: bool = True) -> dict[str, Any]:
    """One that is right on this share of the images, and says the next class of the others."""
    wrong = np.random.default_rng(seed).random(len(LABELS)) > right
    said = (LABELS + wrong) % 7
    return {"confusion": matrix(said)} | ({"said": digits(said)} if kept else {})


def test_answers_come_back_from_their_digits() -> None:
    assert (answers(digits(LABELS)) == LABELS).all()


def test_each_stands_beside_the_next_better_one() -> None:
    systems = {"poor": system(0.4, 1), "best": system(0.8, 2), "good": system(0.6, 3)}
    tests = compare_neighbours(systems, LABELS)
    assert [(test["better"], test["worse"]) for test in tests] == [
        ("best", "good"),
        ("good", "poor"),
    ]
    right = {name: answers(found["said"]) == LABELS for name, found in systems.items()}
    for test in tests:
        better, worse = right[test["better"]], right[test["worse"]]
        assert test["only_better_right"] == (better & ~worse).sum()
        assert test["only_worse_right"] == (worse & ~better).sum()
        expected = mcnemar(test["only_better_right"], test["only_worse_right"])
        assert test["p"] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("seed", range(20))
def test_without_the_answers_of_one_p_is_bounded_from_above(seed: int) -> None:
    better, worse = system(0.66, seed), system(0.6, seed + 100)
    (known,) = compare_neighbours({"better": better, "worse": worse}, LABELS)
    lost = {"confusion": worse["confusion"]}
    (bounded,) = compare_neighbours({"better": better, "worse": lost}, LABELS)
    assert set(bounded) == {"better", "worse", "p_at_most"}
    assert known["p"] <= bounded["p_at_most"]


def test_the_bound_is_reached_where_both_disagree_as_much_as_they_can() -> None:
    """Of each class, the first is right on the first 60 images and the second on the last 50."""
    place = np.arange(700) // 7
    said = [np.where(right, LABELS, (LABELS + 1) % 7) for right in (place < 60, place >= 50)]
    systems = {
        name: {"confusion": matrix(answer), "said": digits(answer)}
        for name, answer in zip(("better", "worse"), said, strict=True)
    }
    (known,) = compare_neighbours(systems, LABELS)
    (bounded,) = compare_neighbours(
        {name: {"confusion": found["confusion"]} for name, found in systems.items()}, LABELS
    )
    assert (known["only_better_right"], known["only_worse_right"]) == (350, 280)
    assert bounded["p_at_most"] == known["p"]


def test_an_earlier_test_of_the_same_two_stands_unless_one_was_trained_anew() -> None:
    better, worse = system(0.66, 1), system(0.6, 2)
    exact = compare_neighbours({"better": better, "worse": worse}, LABELS)
    lost = {"better": {"confusion": better["confusion"]}, "worse": worse}
    assert compare_neighbours(lost, LABELS, exact) == exact
    lost["worse"] = system(0.55, 3)
    (bounded,) = compare_neighbours(lost, LABELS, exact)
    assert "p_at_most" in bounded
