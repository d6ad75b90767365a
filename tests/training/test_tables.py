"""What stands in the report's tables, and under them."""

from typing import Any

from training.tables import budget_table


def found(**figures: object) -> dict[str, Any]:
    run = {"epochs": 22, "planned_epochs": 22, "hours": 1.5, "devices": ["gpu"]}
    return run | {"convergence": "converged"} | figures


def test_a_run_that_went_on_shows_its_schedules_and_what_that_means() -> None:
    text = budget_table({"a": found(schedules=[22]), "b": found(schedules=[17, 5]), "c": None})
    assert "| a | 22 of 22 | 1.50 | gpu | converged |" in text
    assert "| b | 17 + 5 of 22 | 1.50 | gpu | converged |" in text
    assert "| c | not trained |" in text
    assert "\nEpochs with a plus: b went on with a longer schedule" in text


def test_nothing_stands_below_where_every_run_had_one_schedule() -> None:
    # A report of before does not say how many there were.
    text = budget_table({"a": found(schedules=[22]), "b": found()})
    assert "| b | 22 of 22 |" in text
    assert text.endswith("converged |")
