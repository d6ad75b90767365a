"""What stands in the report's tables, and under them."""

from typing import Any

from training.comparison import WHOLE_TEST
from training.tables import budget_table, spent, variants_table


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


def test_a_variant_shows_what_it_knew_of_training_in_its_last_epoch() -> None:
    splits = {s: {"accuracy": a} for s, a in (("PrivateTest", 0.6), ("PublicTest", 0.59))}
    splits[WHOLE_TEST] = {"balanced_accuracy": 0.58}
    curve = {"training": [0.3, 0.7]}
    run = found(splits=splits, recall={"disgust": 0.5}, curve=curve)
    text = variants_table("what", {"a": run})
    assert "| a | 60.00 | 59.00 | 58.00 | 50.00 | 70.00 | converged |" in text
    kept = run | {"earlier": True}
    for runs, which in (({"a": run, "b": kept}, "b"), ({"a": kept, "b": kept}, "all of it")):
        assert variants_table("what", runs).endswith(f"As an earlier report measured: {which}.")


def test_what_runs_cost_is_told_of_those_that_were_trained() -> None:
    assert spent({"a": None}) == ""
    assert spent({"a": found(), "b": None, "c": found(hours=0.25, devices=["cpu", "gpu"])}) == (
        "a took 1.50 hours (gpu), c took 0.25 hours (cpu; gpu)."
    )
