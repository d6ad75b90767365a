"""The learning curves of one run, as a picture."""

from pathlib import Path

from matplotlib.figure import Figure


def plot_curves(history: list[dict[str, float]], path: Path) -> None:
    """Accuracy and loss of Training and PublicTest against the epoch."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    epochs = [entry["epoch"] for entry in history]
    names = (("accuracy", "logits_accuracy"), ("loss", "loss"))
    for axes, (title, name) in zip(figure.subplots(1, 2), names, strict=True):
        name = name if name in history[0] else name.removeprefix("logits_")
        axes.plot(epochs, [entry[name] for entry in history], label="Training, augmented")
        axes.plot(epochs, [entry[f"val_{name}"] for entry in history], label="PublicTest")
        axes.set(title=title, xlabel="epoch")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(path, dpi=120)
