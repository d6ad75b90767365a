"""The report's charts, as small SVG files without any face in them, drawn from results.json."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from training.labels import EXPRESSIONS

OURS, PUBLISHED = "#2a6f97", "#c9ada7"


def draw_distribution(counts: dict[str, dict[str, int]], path: Path) -> None:
    """Figure 1: images of each class, by split."""
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(counts)
    for number, (split, by_class) in enumerate(counts.items()):
        places = np.arange(len(by_class)) + (number - (len(counts) - 1) / 2) * width
        bars = axes.bar(places, list(by_class.values()), width, label=split)
        axes.bar_label(bars, fontsize=6)
    axes.set(xticks=range(len(EXPRESSIONS)), xticklabels=EXPRESSIONS, ylabel="images")
    axes.legend(frameon=False)
    save(figure, path)


def draw_class_weights(weights: dict[str, float], path: Path) -> None:
    """Figure 2: what each class counts in the loss."""
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    axes.bar_label(axes.bar(list(weights), list(weights.values()), color=OURS), fmt="%.2f")
    axes.axhline(1, color="gray", linewidth=0.8)
    axes.set_ylabel("class weight")
    save(figure, path)


def draw_architecture(layers: list[dict[str, str]], path: Path) -> None:
    """Figure 7: the layers of the paper's network, in order, with the shape that each gives."""
    figure = Figure(figsize=(6, 0.3 * len(layers)), layout="constrained")
    axes = figure.subplots()
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(len(layers), 0))
    for number, layer in enumerate(layers):
        box = {"boxstyle": "round,pad=0.25", "facecolor": "#e8eef2", "edgecolor": OURS}
        axes.text(0.28, number + 0.5, layer["layer"], ha="center", va="center", bbox=box, size=8)
        axes.text(0.6, number + 0.5, layer["shape"], va="center", size=8)
        axes.text(0.85, number + 0.5, layer["parameters"], va="center", size=8, color="gray")
    save(figure, path)


def draw_curves(systems: dict[str, Any], path: Path) -> None:
    """Figure 8: accuracy against the epoch, of every system that was trained in epochs."""
    curves = {
        name: system["curve"]
        for name, system in systems.items()
        if system and len(system["curve"]["training"]) > 1
    }
    columns = 4
    rows = max(1, -(-len(curves) // columns))
    figure = Figure(figsize=(2.6 * columns, 2.3 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes in grid.flat[len(curves) :]:
        axes.axis("off")
    for axes, (name, curve) in zip(grid.flat, curves.items(), strict=False):
        for label, values in curve.items():
            axes.plot(range(1, len(values) + 1), values, label=label)
        axes.set(title=name, xlabel="epoch")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=7)
    save(figure, path)


def draw_confusion(name: str, confusion: list[list[int]], path: Path) -> None:
    """Figure 9: rows are the labels and sum to 1, columns what the network said."""
    matrix = np.array(confusion, np.float64)
    matrix /= np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(5.5, 5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(matrix, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(matrix):
        colour = "white" if share > 0.5 else "black"
        axes.text(column, row, f"{share:.2f}", ha="center", va="center", color=colour, size=8)
    places = range(len(EXPRESSIONS))
    axes.set(title=name, xlabel="said", ylabel="label", xticks=places, yticks=places)
    axes.set_xticklabels(EXPRESSIONS, rotation=45)
    axes.set_yticklabels(EXPRESSIONS)
    save(figure, path)


def draw_literature(rows: list[tuple[str, float | None, float | None]], path: Path) -> None:
    """Figure 10: name, published and own accuracy in percent; no bar where there is no figure."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    for number, (label, colour) in enumerate((("published", PUBLISHED), ("ours", OURS)), start=1):
        places = np.arange(len(rows)) + (number - 1.5) * 0.4
        known = [(place, row[number]) for place, row in zip(places, rows, strict=True)]
        bars = [(place, value) for place, value in known if value is not None]
        drawn = axes.bar([p for p, _ in bars], [v for _, v in bars], 0.4, color=colour, label=label)
        axes.bar_label(drawn, fmt="%.1f", fontsize=7)
    names = [name if own is not None else f"{name}\n(not trained)" for name, _, own in rows]
    axes.set(xticks=range(len(rows)), xticklabels=names, ylim=(0, 80), ylabel="accuracy, %")
    axes.tick_params(axis="x", labelsize=7)
    axes.legend(frameon=False)
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """The same figure gives the same bytes; letters stay letters, which keeps the file small."""
    with mpl.rc_context({"svg.hashsalt": "mien", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None, "Creator": None})
