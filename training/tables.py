"""The report's tables, every figure in them read from results.json."""

from typing import Any

from training.comparison import SPLITS, WHOLE_TEST
from training.labels import EXPRESSIONS
from training.markdown import percent, table
from training.published import SYSTEMS
from training.story import PAPER_RECALL


def systems_table(systems: dict[str, Any]) -> str:
    rows = []
    for system in SYSTEMS:
        found = systems[system.name]
        published = "-" if system.published is None else f"{system.published:.2f}"
        if found is None:
            rows.append([system.name, published, "not trained", *["-"] * 7])
            continue
        rows.append(
            [
                system.name,
                published,
                *(percent(found["splits"][split]["accuracy"]) for split in SPLITS),
                percent(found["splits"][WHOLE_TEST]["balanced_accuracy"]),
                f"{found['parameters'] / 1e6:.2f}",
                f"{found['macs'] / 1e6:.1f}",
                f"{found['bytes'] / 1e6:.1f}",
                f"{found['milliseconds']:.2f}",
            ]
        )
    columns = [
        "system", "published", "PrivateTest", "PublicTest", "both", "balanced (both)",
        "parameters, million", "MACs, million", "file, MB", "latency, ms",
    ]  # fmt: skip
    return table(columns, rows)


def budget_table(systems: dict[str, Any]) -> str:
    rows = [
        [name, "not trained", "-", "-", "-"]
        if found is None
        else [
            name,
            f"{_epochs(found)} of {found['planned_epochs']}",
            f"{found['hours']:.2f}",
            "; ".join(found["devices"]),
            found["convergence"],
        ]
        for name, found in systems.items()
    ]
    budget = table(["system", "epochs", "hours", "device", "curve"], rows)
    went_on = [name for name, found in systems.items() if found and "+" in _epochs(found)]
    if not went_on:
        return budget
    return (
        f"{budget}\n\nEpochs with a plus: {', '.join(went_on)} went on with a longer schedule, for "
        "which the learning rate, that had fallen, rose once more; run anew, it falls once."
    )


def mcnemar_table(tests: list[dict[str, Any]]) -> str:
    if not tests:
        return "Nothing to compare: fewer than two systems are trained."
    rows = [
        [t["better"], t["worse"], t["only_better_right"], t["only_worse_right"], f"{t['p']:.3g}"]
        if "p" in t
        else [t["better"], t["worse"], "-", "-", f"at most {t['p_at_most']:.3g}"]
        for t in tests
    ]
    tested = table(["better", "worse", "only the better right", "only the worse right", "p"], rows)
    if all("p" in test for test in tests):
        return tested
    return (
        f'{tested}\n\n"At most" is what the confusion matrices of the two allow; the answers to '
        "single images of one of them were not kept."
    )


def recall_table(systems: dict[str, Any]) -> str:
    shown = {name: systems[name] for name in ("proposed", "mien") if systems[name]}
    rows = [
        [
            expression,
            percent(PAPER_RECALL[expression]) if expression in PAPER_RECALL else "-",
            *(percent(found["recall"][expression]) for found in shown.values()),
        ]
        for expression in EXPRESSIONS
    ]
    return table(["expression", "the paper", *shown], rows)


def variants_table(what: str, variants: dict[str, Any]) -> str:
    rows = [
        [name, "not trained", *"-----"]
        if found is None
        else [
            name,
            *(percent(found["splits"][split]["accuracy"]) for split in SPLITS[:2]),
            percent(found["splits"][WHOLE_TEST]["balanced_accuracy"]),
            percent(found["recall"]["disgust"]),
            percent(found["curve"]["training"][-1]),
            found["convergence"],
        ]
        for name, found in variants.items()
    ]
    columns = [
        what, "PrivateTest", "PublicTest", "balanced (both)", "disgust (both)", "Training", "curve",
    ]  # fmt: skip
    earlier = [name for name, found in variants.items() if found and found.get("earlier")]
    if not earlier:
        return table(columns, rows)
    which = "all of it" if len(earlier) == len(variants) else ", ".join(earlier)
    return f"{table(columns, rows)}\n\nAs an earlier report measured: {which}."


def spent(variants: dict[str, Any]) -> str:
    """What each run cost, at the pace of its median epoch."""
    costs = [
        f"{name} took {found['hours']:.2f} hours ({'; '.join(found['devices'])})"
        for name, found in variants.items()
        if found
    ]
    return f"{', '.join(costs)}." if costs else ""


def distribution_table(counts: dict[str, dict[str, int]]) -> str:
    rows = [
        [expression, *(by_class[expression] for by_class in counts.values())]
        for expression in EXPRESSIONS
    ]
    return table(["expression", *counts], rows)


def _epochs(found: dict[str, Any]) -> str:
    """Those of one schedule after the other; reports of before did not tell them apart."""
    return " + ".join(map(str, found.get("schedules", [found["epochs"]])))
