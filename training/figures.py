"""The pictures of a model directory, as small SVG files, drawn from its metrics.json."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from training.charts import save


def plot_reliability(splits: dict[str, Any], path: Path) -> None:
    """How often predictions of each confidence are right; a calibrated model is on the diagonal."""
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("PublicTest", "PrivateTest"), strict=True):
        curve, error = splits[name]["reliability"], splits[name]["ece_15"]
        width = 1 / len(curve["counts"])
        left = [number * width for number in range(len(curve["counts"]))]
        axes.bar(left, curve["accuracy"], width, align="edge", edgecolor="white")
        filled = [number for number, count in enumerate(curve["counts"]) if count]
        confidence, accuracy = ([curve[k][n] for n in filled] for k in ("confidence", "accuracy"))
        axes.plot(confidence, accuracy, "k.", markersize=3)
        axes.plot([0, 1], [0, 1], "k--", linewidth=0.8)
        axes.set(title=f"{name}, ECE-15 {error:.3f}", xlabel="confidence", ylabel="share right")
        axes.set(xlim=(0, 1), ylim=(0, 1))
    save(figure, path)


def plot_robustness(robustness: dict[str, Any], path: Path) -> None:
    """Accuracy under corruptions by severity, and by how far the crop is off."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    corruptions, shift, scale = figure.subplots(1, 3, sharey=True, width_ratios=(2, 1, 1))
    clean = robustness["clean"]
    for name, accuracies in robustness["corruptions"].items():
        corruptions.plot(range(6), [clean, *accuracies.values()], label=name.replace("_", " "))
    corruptions.set(xlabel="severity", ylabel="accuracy, PublicTest")
    corruptions.legend(frameon=False, fontsize=7, ncols=2)
    for axes, name in ((shift, "shift"), (scale, "scale")):
        points = {**robustness[name], ("0" if name == "shift" else "1"): clean}
        places = sorted(points, key=float)
        axes.plot([float(p) for p in places], [points[p] for p in places], ".-")
        axes.set(xlabel=f"{name} of the crop")
    for axes in (corruptions, shift, scale):
        axes.grid(alpha=0.3)
    save(figure, path)
