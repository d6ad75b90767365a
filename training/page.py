"""The report's page: prose that holds for every run, and figures read from results.json alone."""

from pathlib import Path
from string import Template
from typing import Any

from training.comparison import BALANCING, CLEANING, SPLITS, SYSTEMS, WHOLE_TEST
from training.labels import EXPRESSIONS
from training.markdown import percent, table
from training.story import PAPER_RECALL, audit_story, confusion_story, what_held, why_missed

PAGE = Template((Path(__file__).parent / "pages" / "paper.md").read_text())


def write_page(results: dict[str, Any], path: Path) -> None:
    """Write README.md from what results.json holds."""
    path.write_text(render(results))


def render(results: dict[str, Any]) -> str:
    systems = results["systems"]
    speed, data = results["speed"], results["data"]
    return PAGE.substitute(
        where=_where(results),
        table=_systems_table(systems),
        earlier=_earlier(results["earlier"]),
        cpu=speed["cpu"],
        runs=speed["runs"],
        ten_crop=_ten_crop(systems),
        remarks="\n".join(f"- **{s.name}**: {s.remark}." for s in SYSTEMS),
        budget=_budget_table(systems),
        mcnemar=_mcnemar_table(results["mcnemar"]),
        held=what_held(systems),
        why=why_missed(results),
        test_images=f"{sum(data['test'].values()):,}",
        recall=_recall_table(systems),
        confusion_story=confusion_story(results),
        balancing=_variants_table("balancing", results["balancing"]),
        audit=audit_story(results["audit"]),
        cleaning=_variants_table("Training's findings", results["cleaning"]),
        distribution=_distribution_table(data["counts"]),
        pictures=_pictures(results),
        commands=_commands(),
    )


def _where(results: dict[str, Any]) -> str:
    trained = sum(system is not None for system in results["systems"].values())
    text = f"**{trained} of {len(results['systems'])} systems are trained so far.**"
    if results["rehearsal"]:
        images = sum(sum(split.values()) for split in results["data"]["counts"].values())
        text += (
            f" **This is a rehearsal on {images} images, one epoch each: its figures say that "
            "everything runs, and nothing else.**"
        )
    return text


def _systems_table(systems: dict[str, Any]) -> str:
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


def _earlier(names: list[str]) -> str:
    if not names:
        return ""
    return (
        f"The accuracies of {', '.join(names)} are those that an earlier report measured, of runs "
        "on other machines; their latency is of the same graphs with other weights, which cost "
        "no time."
    )


def _ten_crop(systems: dict[str, Any]) -> str:
    found = systems["VGGNet"]
    if found is None or not found["ten_crop_accuracy"]:
        return ""
    scores = ", ".join(f"{percent(v)} on {k}" for k, v in found["ten_crop_accuracy"].items())
    return f"VGGNet with ten crops, at ten times the cost: {scores}."


def _budget_table(systems: dict[str, Any]) -> str:
    rows = [
        [name, "not trained", "-", "-", "-"]
        if found is None
        else [
            name,
            f"{found['epochs']} of {found['planned_epochs']}",
            f"{found['hours']:.2f}",
            "; ".join(found["devices"]),
            found["convergence"],
        ]
        for name, found in systems.items()
    ]
    return table(["system", "epochs", "hours", "device", "curve"], rows)


def _mcnemar_table(tests: list[dict[str, Any]]) -> str:
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


def _recall_table(systems: dict[str, Any]) -> str:
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


def _variants_table(what: str, variants: dict[str, Any]) -> str:
    rows = [
        [name, "not trained", "-", "-", "-", "-"]
        if found is None
        else [
            name,
            *(percent(found["splits"][split]["accuracy"]) for split in SPLITS[:2]),
            percent(found["splits"][WHOLE_TEST]["balanced_accuracy"]),
            percent(found["recall"]["disgust"]),
            found["convergence"],
        ]
        for name, found in variants.items()
    ]
    return table(
        [what, "PrivateTest", "PublicTest", "balanced (both)", "disgust (both)", "curve"], rows
    )


def _distribution_table(counts: dict[str, dict[str, int]]) -> str:
    rows = [
        [expression, *(by_class[expression] for by_class in counts.values())]
        for expression in EXPRESSIONS
    ]
    return table(["expression", *counts], rows)


def _pictures(results: dict[str, Any]) -> str:
    missing = [f"- {line}" for line in results["missing_pictures"]]
    parts = ["\n".join(missing)] if missing else []
    if results["deployment"]:
        rows = [[a["label"], a["said"], f"{a['confidence']:.2f}"] for a in results["deployment"]]
        answers = table(["label", "the service said", "confidence"], rows)
        parts.append(f"What the service said of the images of figure 12:\n\n{answers}")
    return "\n\n".join(parts) or "None is missing."


def _commands() -> str:
    configs = dict.fromkeys(
        [s.config for s in SYSTEMS if s.config] + [*BALANCING.values(), *CLEANING.values()]
    )
    lines = [
        "python -m training.folds training/configs/audit_fold.py --data data/fer2013.npz",
        "python -m training.audit --data data/fer2013.npz --out runs/audit",
    ]
    for config in configs:
        lines += [
            f"python -m training.train training/configs/{config}.py --data data/fer2013.npz",
            f"python -m training.export runs/{config} --data data/fer2013.npz",
        ]
    return "\n".join(
        [*lines, "python -m training.report --data data/fer2013.npz --out docs/report"]
    )
