"""The report's page: prose that holds for every run, and figures read from results.json alone."""

from pathlib import Path
from string import Template
from typing import Any

from training.markdown import percent, table
from training.published import SYSTEMS, VARIANTS
from training.story import audit_story, confusion_story, what_held, why_missed
from training.tables import (
    budget_table,
    distribution_table,
    mcnemar_table,
    recall_table,
    spent,
    systems_table,
    variants_table,
)

PAGE = Template((Path(__file__).parent / "pages" / "paper.md").read_text())


def write_page(results: dict[str, Any], path: Path) -> None:
    """Write README.md from what results.json holds."""
    path.write_text(render(results))


def render(results: dict[str, Any]) -> str:
    systems = results["systems"]
    speed, data = results["speed"], results["data"]
    return PAGE.substitute(
        where=_where(results),
        table=systems_table(systems),
        earlier=_earlier(results["earlier"]),
        cpu=speed["cpu"],
        runs=speed["runs"],
        ten_crop=_ten_crop(systems),
        remarks="\n".join(f"- **{s.name}**: {s.remark}." for s in SYSTEMS),
        budget=budget_table(systems),
        mcnemar=mcnemar_table(results["mcnemar"]),
        held=what_held(systems),
        why=why_missed(results),
        test_images=f"{sum(data['test'].values()):,}",
        recall=recall_table(systems),
        confusion_story=confusion_story(results),
        recipes=variants_table("recipe", results["recipes"]),
        balancing=variants_table("balancing", results["balancing"]),
        causes=variants_table("changed", results["causes"]),
        audit=audit_story(results["audit"]),
        cleaning=variants_table("Training's findings", results["cleaning"]),
        budgets=variants_table("VGGNet", results["budgets"]),
        spent=spent(results["budgets"]),
        distribution=distribution_table(data["counts"]),
        pictures=_pictures(results),
        commands=_commands(),
    )


def _where(results: dict[str, Any]) -> str:
    trained = sum(system is not None for system in results["systems"].values())
    whole = len(results["systems"])
    text = (
        f"**All {whole} systems are trained.**"
        if trained == whole
        else f"**{trained} of {whole} systems are trained so far.**"
    )
    if results["rehearsal"]:
        images = sum(sum(split.values()) for split in results["data"]["counts"].values())
        text += (
            f" **This is a rehearsal on {images} images, one epoch each: its figures say that "
            "everything runs, and nothing else.**"
        )
    return text


def _earlier(names: list[str]) -> str:
    if not names:
        return ""
    return (
        f"The accuracies of {', '.join(names)} are those that an earlier report measured, of runs "
        "whose folders are not on this machine; their time is that of the same graphs with other "
        "weights, which cost none."
    )


def _ten_crop(systems: dict[str, Any]) -> str:
    found = systems["VGGNet"]
    if found is None or not found["ten_crop_accuracy"]:
        return ""
    scores = ", ".join(f"{percent(v)} on {k}" for k, v in found["ten_crop_accuracy"].items())
    return f"VGGNet with ten crops, at ten times the cost: {scores}."


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
        [s.config for s in SYSTEMS if s.config]
        + [config for configs in VARIANTS.values() for config in configs.values()]
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
        [
            *lines,
            "mien serve &",
            "python -m training.report --data data/fer2013.npz --out docs/report "
            "--url http://localhost:8000",
        ]
    )
