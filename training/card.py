"""The model card: prose that holds for every release, and figures read from its own metrics.json.

The form is that of Mitchell et al. 2019, "Model Cards for Model Reporting" (arXiv 1810.03993).
"""

import json
from pathlib import Path
from string import Template
from typing import Any

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
        figures=_figures(metrics["splits"]),
        recall=_table(list(private["recall"]), [[_percent(v) for v in private["recall"].values()]]),
        confusion=_table(
            ["", *config["labels"]],
            [
                [label, *row]
                for label, row in zip(config["labels"], private["confusion"], strict=True)
            ],
        ),
    )
    (folder / "MODEL_CARD.md").write_text(card)


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
                _percent(figures["accuracy"]),
                f"{_percent(low)} .. {_percent(high)}",
                _percent(figures["accuracy_with_flip"]),
                _percent(figures["balanced_accuracy"]),
                _percent(figures["macro_f1"]),
                f"{figures['nll']:.3f}",
                f"{figures['brier']:.3f}",
                f"{figures['ece_15']:.3f}",
                "" if ferplus is None else _percent(ferplus),
            ]
        )
    return _table(columns, rows)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _table(columns: list[str], rows: list[list[Any]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
