"""What the report is made of is there, and compares like with like."""

from dataclasses import asdict

from training.config import load_config
from training.published import (
    BALANCING,
    BUDGETS,
    CAUSES,
    CLEANING,
    CONFIGS,
    RECIPES,
    SYSTEMS,
    VARIANTS,
)


def test_every_config_that_the_report_names_is_there() -> None:
    names = [system.config for system in SYSTEMS if system.config]
    for name in names + [config for configs in VARIANTS.values() for config in configs.values()]:
        assert load_config(CONFIGS / f"{name}.py").epochs > 0


def changed(name: str, since: str = "paper_proposed") -> set[str]:
    """What a config has that the other does not."""
    other, variant = (asdict(load_config(CONFIGS / f"{n}.py")) for n in (since, name))
    return {key for key in other if variant[key] != other[key]}


def test_each_variant_differs_from_the_papers_recipe_in_one_thing() -> None:
    for name in {*BALANCING.values(), *CLEANING.values()} - {"paper_proposed"}:
        balanced = ({"class_weights"}, {"class_weights", "oversampling"})
        assert changed(name) in (*balanced, {"cleaning"})


def test_each_cause_is_one_more_thing_beside_the_class_weights() -> None:
    for name, config in CAUSES.items():
        others = changed(config) - {"class_weights"}
        assert changed(config) - others == {"class_weights"}
        assert len(others) == (3 if name in RECIPES else name != "nothing more")


def test_the_two_recipes_differ_as_table_2_has_them() -> None:
    (other,) = set(RECIPES.values()) - {"paper_proposed"}
    assert changed(other) == {"batch_size", "learning_rate", "epochs"}
    config = load_config(CONFIGS / f"{other}.py")
    assert (config.batch_size, config.learning_rate, config.epochs) == (32, 0.001, 20)


def test_the_budgets_differ_in_what_their_names_say() -> None:
    short, long = BUDGETS.values()
    assert changed(long, since=short) == {"epochs"}
    for name, config in BUDGETS.items():
        assert name == f"{load_config(CONFIGS / f'{config}.py').epochs} epochs"
