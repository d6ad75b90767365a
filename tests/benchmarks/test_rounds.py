from functools import partial

from benchmarks.rounds import alternate, ratio, summary


def test_everyone_takes_part_in_each_round_and_the_order_turns() -> None:
    order: list[str] = []

    def measure(name: str) -> int:
        order.append(name)
        return len(order)

    found = alternate({name: partial(measure, name) for name in "abc"}, 3)

    assert "".join(order) == "abc" + "cba" + "abc"
    assert found == {"a": [1, 6, 7], "b": [2, 5, 8], "c": [3, 4, 9]}


def test_a_ratio_is_taken_within_rounds() -> None:
    # The machine became three times as slow after the first round: the ratio did not.
    assert ratio([30, 10, 10], [15, 5, 5]) == 2
    # One bad round of one side does not count.
    assert ratio([20, 20, 1], [10, 10, 10]) == 2


def test_a_summary_has_the_range() -> None:
    assert summary([3.0, 1.0, 2.0]) == {"median": 2.0, "least": 1.0, "most": 3.0}
