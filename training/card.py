"""The model card: prose that holds for every release, and figures read from its own metrics.json.

The form is that of Mitchell et al. 2019, "Model Cards for Model Reporting" (arXiv 1810.03993).
"""

import json
from pathlib import Path
from string import Template
from typing import Any

from training.markdown import percent, table

CARD = Template((Path(__file__).parent / "cards" / "expression.md").read_text())


def write_card(folder: Path) -> None:
    """Write MODEL_CARD.md from the folder's config.json and metrics.json."""
    config = json.loads((folder / "config.json").read_text())
    metrics = json.loads((folder / "metrics.json").read_text())
    training, private = metrics["training"], metrics["splits"]["PrivateTest"]
    card = CARD.substitute(
        {key: config[key] for key in ("name", "version", "command", "commit", "opset")},
        labels=", ".join(config["labels"]),
        temperature=config["temperature"],
        uncertain_below=config["uncertain_below"],
        parameters=f"{training['parameters']:,}",
        macs=f"{training['macs'] / 1e6:.1f}",
        epochs=training["epochs"],
        adjustment=_adjustment(metrics["adjustment"]) if "adjustment" in metrics else "",
        figures=_figures(metrics["splits"]),
        precision=_int8(metrics["int8"]),
        agreement=_agreement(metrics["splits"]),
        robustness=_robustness(metrics["robustness"]),
        ablation=_ablation(metrics["ablation"]) if "ablation" in metrics else "Not measured.",
        recall=table(list(private["recall"]), [[percent(v) for v in private["recall"].values()]]),
        confusion=table(
            ["", *config["labels"]],
            [
                [label, *row]
                for label, row in zip(config["labels"], private["confusion"], strict=True)
            ],
        ),
    )
    (folder / "MODEL_CARD.md").write_text(card)


def _adjustment(figures: dict[str, Any]) -> str:
    accuracy, balanced = figures["accuracy"], figures["balanced_accuracy"]
    if not figures["strength"]:
        return (
            "The logits are as trained: to raise those of rare expressions (Menon et al. 2021, "
            f"arXiv 2007.07314) gained nothing on {figures['split']} that cost no accuracy.\n\n"
        )
    return (
        f"The logits hold -{figures['strength']} log(share of the class in Training), so that rare "
        "expressions are not overruled for being rare (Menon et al. 2021, arXiv 2007.07314). The "
        f"strength is the best of those that lose no accuracy on {figures['split']}: there it took "
        f"the accuracy from {percent(accuracy[0])} to {percent(accuracy[1])} and the balanced "
        f"accuracy from {percent(balanced[0])} to {percent(balanced[1])}.\n\n"
    )


def _figures(splits: dict[str, Any]) -> str:
    columns = [
        "split", "images", "accuracy", "95 %", "with flip", "balanced", "macro F1",
        "NLL", "Brier", "ECE-15", "FER+ majority",
    ]  # fmt: skip
    rows = []
    for name, figures in splits.items():
        low, high = figures["accuracy_interval_95"]
        ferplus = figures.get("ferplus_majority_accuracy")
        rows.append(
            [
                name,
                figures["images"],
                percent(figures["accuracy"]),
                f"{percent(low)} .. {percent(high)}",
                percent(figures["accuracy_with_flip"]),
                percent(figures["balanced_accuracy"]),
                percent(figures["macro_f1"]),
                f"{figures['nll']:.3f}",
                f"{figures['brier']:.3f}",
                f"{figures['ece_15']:.3f}",
                "" if ferplus is None else percent(ferplus),
            ]
        )
    return table(columns, rows)


def _int8(figures: dict[str, Any]) -> str:
    speed = figures["speed"]
    rows = [
        *(
            [f"accuracy on {split}", *map(percent, accuracy.values())]
            for split, accuracy in figures["accuracy"].items()
        ),
        *(
            [f"milliseconds for {crops} crop{'s' if int(crops) > 1 else ''}", *times.values()]
            for crops, times in speed["milliseconds_by_crops"].items()
        ),
    ]
    equal = percent(figures["share_of_equal_answers"]["PrivateTest"])
    told = (
        f"`model.int8.onnx` is the same network in bytes, and gives the same answer on {equal} % "
        "of PrivateTest's images."
        if figures["released"]
        else "There is no int8 graph: it lost more on PublicTest than is allowed."
    )
    allowed = f"{100 * figures['largest_loss_on_public_test']:.1f}"
    return (
        f"{told} Released is what loses at most {allowed} points on PublicTest. Medians of "
        f"{speed['runs']} runs, CPU time of one thread of {speed['cpu']}, which multiplies large "
        f"float32 matrices at {speed['float32_matmul_gigaflops']} GFLOP/s in the same run:\n\n"
        + table(["", "fp32", "int8"], rows)
    )


def _agreement(splits: dict[str, Any]) -> str:
    rows = [
        [name, head, row["images"], row["temperature"], f"{row['kl']:.3f}", f"{row['js']:.3f}"]
        for name, figures in splits.items()
        for head, row in figures.get("vote_agreement", {}).items()
    ]
    return table(["split", "head", "images", "temperature", "KL", "JS"], rows)


def _robustness(figures: dict[str, Any]) -> str:
    severities = table(
        ["corruption", *(f"severity {severity}" for severity in range(1, 6))],
        [
            [name.replace("_", " "), *map(percent, accuracies.values())]
            for name, accuracies in figures["corruptions"].items()
        ],
    )
    crops = [
        table([f"{name} of the crop", *figures[name]], [["accuracy", *map(percent, row)]])
        for name in ("shift", "scale")
        for row in [figures[name].values()]
    ]
    return "\n\n".join(
        [
            f"On the {figures['images']} images of {figures['split']}: "
            f"{percent(figures['clean'])} as they are, "
            f"{percent(figures['mean_under_corruption'])} in the mean of the table.",
            severities,
            *crops,
        ]
    )


def _ablation(figures: dict[str, Any]) -> str:
    recipe = (
        f"On {figures['split']}, each change alone, for a network of {figures['macs'] / 1e6:.1f} "
        f"million multiply-accumulates trained for {figures['epochs']} epochs without teachers; p "
        "is McNemar's exact test against the recipe. One run each.\n\n"
    )
    taught = figures["taught"]
    teachers = f"\n\nAnd for a network of the release's shape and {taught['epochs']} epochs:\n\n"
    return recipe + _changes(figures) + teachers + _changes(taught)


def _changes(figures: dict[str, Any]) -> str:
    reference = figures["accuracy"]
    rows = [
        [
            change,
            percent(row["accuracy"]),
            f"{100 * (row['accuracy'] - reference):+.2f}",
            percent(row["balanced_accuracy"]),
            row["p"],
        ]
        for change, row in figures["changes"].items()
    ]
    whole = ["the recipe", percent(reference), "", percent(figures["balanced_accuracy"]), ""]
    return table(["", "accuracy", "points", "balanced", "p"], [whole, *rows])
