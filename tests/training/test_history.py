"""What a run's log tells."""

from typing import Any

from training.history import convergence, hours, schedules


def history(*accuracies: float) -> list[dict[str, Any]]:
    return [{"val_logits_accuracy": accuracy} for accuracy in accuracies]


def test_a_curve_that_rises_is_not_converged() -> None:
    rising = history(*(number / 100 for number in range(20)))
    assert convergence(rising, 20) == "not converged: still rising, 3.0 points in 3 epochs"


def test_a_flat_or_falling_curve_is_converged() -> None:
    assert convergence(history(0.1, 0.5, *[0.7] * 8), 10) == "converged"
    assert convergence(history(*[0.7] * 5, *[0.6] * 5), 10) == "converged"


def test_a_run_that_was_stopped_is_not_converged() -> None:
    assert convergence(history(0.5, 0.5, 0.5), 100) == "not converged: 3 of 100 epochs"


def test_only_the_last_schedule_tells_whether_a_run_converged() -> None:
    # It went on from a flat end, at a rate with which it fell at first.
    first = [{**epoch, "learning_rate": 0.0} for epoch in history(*[0.6] * 10)]
    second = [
        {**epoch, "learning_rate": 0.3 - number / 10}
        for number, epoch in enumerate(history(0.5, 0.52, 0.54, 0.56))
    ]
    assert convergence(first + second, 14) == "not converged: still rising, 4.0 points in 2 epochs"


def test_a_last_schedule_of_one_epoch_tells_nothing() -> None:
    epochs = [{**epoch, "learning_rate": 0.1} for epoch in history(*[0.6] * 10)]
    epochs.append({"val_logits_accuracy": 0.7, "learning_rate": 0.3})
    assert convergence(epochs, 11) == "not converged: a single epoch"


def test_one_epoch_tells_nothing_unless_it_solved_the_problem() -> None:
    assert convergence(history(0.5), 1).startswith("not converged")
    solved = [{"newton_steps": 12, "val_logits_accuracy": 0.5}]
    assert convergence(solved, 1000) == "solved: 12 Newton steps"
    assert convergence(solved, 12) == "not converged: 12 Newton steps"


def test_an_epoch_in_which_the_machine_slept_costs_what_the_others_do() -> None:
    epochs = [{"seconds": seconds, "device": "tensorflow, 2 cores"} for seconds in (90, 90, 9000)]
    epochs += [{"seconds": 2, "device": "jax, gpu"}] * 45
    assert hours(epochs) == (3 * 90 + 45 * 2) / 3600


def test_schedules_are_told_apart_by_a_learning_rate_that_rises_again() -> None:
    warm_up_and_fall = [{"learning_rate": rate} for rate in (0.1, 0.5, 0.4, 0.2, 0.0)]
    longer = [{"learning_rate": rate} for rate in (0.3, 0.1, 0.0)]
    assert schedules(warm_up_and_fall) == [5]
    assert schedules(warm_up_and_fall + longer) == [5, 3]
    assert schedules(warm_up_and_fall[:1]) == [1]
    assert schedules([{"newton_steps": 12}]) == [1]
    assert schedules([{}, {}, *longer]) == [5]
