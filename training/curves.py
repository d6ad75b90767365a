"""The learning curves of one run, as a picture."""

from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure


class Curves(NamedTuple):
    """What is drawn: titles and the log's names of them, and what the run is judged by."""

    names: dict[str, str]
    judged_by: str


CLASSIFICATION = Curves({"accuracy": "logits_accuracy", "loss": "loss"}, "PublicTest")


def plot_curves(
    history: list[dict[str, float]], path: Path, curves: Curves = CLASSIFICATION
) -> None:
    """Each figure in training, and on what the run is judged by, against the epoch."""
    figure = Figure(figsize=(4.5 * len(curves.names), 3.5), layout="constrained")
    epochs = [entry["epoch"] for entry in history]
    (row,) = figure.subplots(1, len(curves.names), squeeze=False)
    for axes, (title, name) in zip(row, curves.names.items(), strict=True):
        name = name if name in history[0] else name.removeprefix("logits_")
        axes.plot(epochs, [entry[name] for entry in history], label="Training, augmented")
        axes.plot(epochs, [entry[f"val_{name}"] for entry in history], label=curves.judged_by)
        axes.set(title=title, xlabel="epoch")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(path, dpi=120)
